(** Three questions about forward runs with the same maps, and what does not follow (row 78):
    (a) backward iterates from theta_0 converge; (b) runs forget a near start, theta_0 against
    T' theta_0; (c) runs forget an independent start. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  sharp_constant necessity.
Local Open Scope R_scope.

(** (a) does not need (c): with the identity backward iterates converge, and starts are never forgotten. *)
Theorem identity_converges_and_forgets_nothing : forall {X : MetricSpace} (x y : X),
  let T := fun (_ : nat) (z : X) => z in
  converges (fun n => backward T n x) x /\
  forall n, distance (forward T n x) (forward T n y) = distance x y.
Proof.
  intros X x y T.
  assert (Hb : forall n, backward T n x = x).
  { intros n. unfold T. rewrite backward_one_map. induction n; [reflexivity | exact IHn]. }
  assert (Hf : forall n z, forward T n z = z).
  { intros n z. unfold T. rewrite forward_one_map. induction n; [reflexivity | exact IHn]. }
  split.
  - intros e He. exists 0%nat. intros n _. rewrite Hb, distance_refl. exact He.
  - intros n. rewrite !Hf. reflexivity.
Qed.

(** (b) and (c) together do not imply (a). The maps x/2 + b_i bring any two starts together at the
    rate 2^{-n}, whatever the b_i; backward iterates converge only if 2^{-n} b_{n+1} -> 0. *)
Theorem forgetting_at_a_rate : forall (b : nat -> R) n x y,
  let T := affine_maps (fun _ => 1 / 2) b in
  Rabs (forward T n x - forward T n y) = (1 / 2) ^ n * Rabs (x - y) /\
  backward T (S n) 0 - backward T n 0 = (1 / 2) ^ n * b (S n).
Proof.
  intros b n x y T. split.
  - induction n; [simpl; lra |]. simpl forward.
    unfold T at 1 3, affine_maps at 1 2. fold T.
    replace (1 / 2 * forward T n x + b (S n) - (1 / 2 * forward T n y + b (S n)))
      with (1 / 2 * (forward T n x - forward T n y)) by ring.
    rewrite Rabs_mult, IHn, (Rabs_pos_eq (1 / 2)) by lra. simpl. ring.
  - unfold T. rewrite !affine_maps_backward. rewrite Rsum_S, !half_product. simpl. ring.
Qed.

Theorem convergence_needs_small_noise : forall (b : nat -> R) l,
  converges (fun n => backward (affine_maps (fun _ => 1 / 2) b) n 0) l ->
  Un_cv (fun n => (1 / 2) ^ n * b (S n)) 0.
Proof.
  intros b l Hl e He. destruct (Hl (e / 2)) as [N HN]; [lra |]. exists N. intros n Hn.
  pose proof (HN n Hn) as H1. pose proof (HN (S n) ltac:(lia)) as H2.
  destruct (forgetting_at_a_rate b n 0 0) as [_ E]. unfold R_dist. rewrite Rminus_0_r, <- E.
  simpl in H1, H2.
  replace (backward (affine_maps (fun _ : nat => 1 / 2) b) (S n) 0 - backward (affine_maps (fun _ : nat => 1 / 2) b) n 0)
    with ((backward (affine_maps (fun _ : nat => 1 / 2) b) (S n) 0 - l)
          + - (backward (affine_maps (fun _ : nat => 1 / 2) b) n 0 - l)) by ring.
  eapply Rle_lt_trans; [apply Rabs_triang |]. rewrite Rabs_Ropp. lra.
Qed.

(** With b_i = 2^i starts are forgotten at the rate 2^{-n}, and backward iterates tend to infinity. *)
Theorem forgetting_is_not_enough :
  let T := affine_maps (fun _ => 1 / 2) (fun i => 2 ^ i) in
  (forall n x y, Rabs (forward T n x - forward T n y) = (1 / 2) ^ n * Rabs (x - y)) /\
  ~ exists l, converges (fun n => backward T n 0) l.
Proof.
  split; [| apply bounded_displacement_needed].
  intros n x y. apply (forgetting_at_a_rate (fun i => 2 ^ i) n x y).
Qed.

(** ** In probability is not almost surely *)

(** On the natural numbers, T_i 0 = Y_i and T_i x = max(x - 1, 1) for x > 0. *)
Definition countdown (Y : nat -> nat) (i x : nat) : nat :=
  match x with O => Y i | S x' => max x' 1 end.

(** theta_n^B = max(Y_n - (n - 1), 1): it differs from 1 exactly if Y_n > n. *)
Theorem countdown_backward : forall Y n, (forall i, (1 <= Y i)%nat) ->
  backward (countdown Y) (S n) 0%nat = max (Y (S n) - n) 1 /\
  (backward (countdown Y) (S n) 0%nat <> 1%nat <-> (S n < Y (S n))%nat).
Proof.
  intros Y n HY.
  assert (H : forall n a y, (1 <= y)%nat -> segment (countdown Y) a n y = max (y - n) 1).
  { clear n. induction n; intros a y Hy; simpl segment; [lia |].
    rewrite IHn by exact Hy. unfold countdown.
    destruct (max (y - n) 1) as [| z] eqn:E; lia. }
  assert (E : backward (countdown Y) (S n) 0%nat = max (Y (S n) - n) 1).
  { rewrite backward_succ. unfold backward. change (countdown Y (S n) 0%nat) with (Y (S n)). apply H, HY. }
  split; [exact E |]. rewrite E. lia.
Qed.

(** With P(Y > n) = 1/(n + 1): the probability that theta_n differs from 1 is 1/(n + 1) -> 0, so
    theta_n -> 1 in probability; independent Y_n .. Y_m all stay at or below their index with probability
    (1 - 1/(n+1)) ... (1 - 1/(m+1)) = n/(m+1) -> 0, so theta_n differs from 1 again and again. *)
Theorem countdown_probabilities : forall n, (1 <= n)%nat ->
  Un_cv (fun m => / INR (S m)) 0 /\
  (forall k, factor_product (fun i => 1 - / INR (n + i)) k = (INR n) / INR (n + k)) /\
  Un_cv (fun k => factor_product (fun i => 1 - / INR (n + i)) k) 0.
Proof.
  intros n Hn.
  assert (Hpos : forall k, 0 < INR (n + k)) by (intros k; apply lt_0_INR; lia).
  assert (Hinv : forall c e, 0 < c -> 0 < e -> exists N, forall k, (N <= k)%nat -> c / INR (S k) < e).
  { intros c e Hc He. destruct (INR_passes (c / e) 1 Rlt_0_1) as [N HN]. exists N. intros k Hk.
    specialize (HN k Hk). rewrite Rmult_1_l in HN. rewrite S_INR.
    apply (Rmult_lt_reg_r (INR k + 1)); [pose proof (pos_INR k); lra |].
    replace (c / (INR k + 1) * (INR k + 1)) with c by (field; pose proof (pos_INR k); lra).
    apply (Rmult_lt_compat_l e) in HN; [| lra]. replace (e * (c / e)) with c in HN by (field; lra). lra. }
  assert (Hprod : forall k, factor_product (fun i => 1 - / INR (n + i)) k = INR n / INR (n + k)).
  { induction k; [simpl; rewrite Nat.add_0_r; field; apply not_0_INR; lia |].
    simpl factor_product. rewrite IHk, <- plus_n_Sm, S_INR. pose proof (Hpos k). field. lra. }
  split; [| split; [exact Hprod |]].
  - intros e He. destruct (Hinv 1 e Rlt_0_1 He) as [N HN]. exists N. intros k Hk. specialize (HN k Hk).
    unfold R_dist. rewrite Rminus_0_r, Rabs_pos_eq; [lra |].
    apply Rlt_le, Rinv_0_lt_compat, lt_0_INR. lia.
  - intros e He. destruct (Hinv (INR n) e ltac:(apply lt_0_INR; lia) He) as [N HN].
    exists (S N). intros k Hk. rewrite Hprod. unfold R_dist. rewrite Rminus_0_r.
    pose proof (Hpos k). pose proof (pos_INR n).
    rewrite Rabs_pos_eq by (apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra]).
    specialize (HN (n + k - 1)%nat ltac:(lia)). replace (S (n + k - 1)) with (n + k)%nat in HN by lia. exact HN.
Qed.
