(** How sharp Theorem 2.2 is: its constant is attained with d(x0, T_i x0) <= D, never attained but
    still the best one with the printed strict inequality; and a ball must be invariant. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Local Open Scope R_scope.

(** The maps k x + D of the real line. *)
Definition affine_map (k D x : R) : R := k * x + D.

Lemma affine_lipschitz : forall k D, 0 <= k -> lipschitz k (affine_map k D).
Proof.
  intros k D Hk x y. simpl. unfold affine_map.
  replace (k * x + D - (k * y + D)) with (k * (x - y)) by ring.
  rewrite Rabs_mult, (Rabs_pos_eq k) by assumption. lra.
Qed.

Lemma affine_backward : forall k D n x, k <> 1 ->
  backward (fun _ => affine_map k D) n x = D / (1 - k) - k ^ n * (D / (1 - k) - x).
Proof.
  intros k D n x Hk. rewrite backward_one_map. induction n.
  - simpl. ring.
  - simpl Nat.iter. rewrite IHn. unfold affine_map. simpl. field. lra.
Qed.

Lemma affine_limit : forall k D x, 0 <= k < 1 ->
  converges (fun n => backward (fun _ => affine_map k D) n x) (D / (1 - k) : R).
Proof.
  intros k D x Hk. apply (converges_within _ _ (fun n => Rabs (D / (1 - k) - x) * k ^ n)).
  - intros n. rewrite affine_backward by lra. simpl.
    match goal with |- Rabs ?a <= _ => replace a with (- (k ^ n * (D / (1 - k) - x))) by ring end.
    rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq (k ^ n)) by (apply pow_le; lra). lra.
  - apply geometric_vanishes. assumption.
Qed.

(** Row 17: with d(x0, T_i x0) <= D the constant D/(1-k) is attained at every n:
    T_i x = k x + D from 0 has d(theta*, theta_n) = D/(1-k) k^n. *)
Theorem constant_attained : forall k D, 0 <= k < 1 -> 0 <= D ->
  let T := fun _ : nat => affine_map k D in
  uniformly_lipschitz k T /\ displacement_le T (0 : R) D /\
  exists limit : R,
    (forall x, converges (fun n => backward T n x) limit) /\
    (forall n, distance limit (backward T n 0) = D / (1 - k) * k ^ n).
Proof.
  intros k D Hk HD T. split; [| split].
  - intros i _. apply affine_lipschitz. lra.
  - intros i _. unfold T, affine_map. simpl.
    replace (0 - (k * 0 + D)) with (- D) by ring. rewrite Rabs_Ropp, Rabs_pos_eq by lra. lra.
  - exists (D / (1 - k)). split.
    + intros x. apply affine_limit. assumption.
    + intros n. unfold T. rewrite affine_backward by lra. simpl.
      replace (D / (1 - k) - (D / (1 - k) - k ^ n * (D / (1 - k) - 0)))
        with (D / (1 - k) * k ^ n) by ring.
      apply Rabs_pos_eq. apply Rmult_le_pos; [| apply pow_le; lra].
      apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra].
Qed.

(** Row 16: the constant D/(1-k) + r at another start is attained as well
    (same maps, start -r, where r = d(x0, -r)). *)
Theorem constant_attained_other_start : forall k D r, 0 <= k < 1 -> 0 <= D -> 0 <= r ->
  let T := fun _ : nat => affine_map k D in
  distance (0 : R) (- r) = r /\
  forall limit : R, converges (fun n => backward T n (- r)) limit ->
    forall n, distance limit (backward T n (- r)) = (D / (1 - k) + r) * k ^ n.
Proof.
  intros k D r Hk HD Hr T. split.
  - simpl. replace (0 - - r) with r by ring. apply Rabs_pos_eq. assumption.
  - intros limit Hl n.
    rewrite (limit_unique _ _ _ Hl (affine_limit k D (- r) Hk)).
    unfold T. rewrite affine_backward by lra. simpl.
    replace (D / (1 - k) - (D / (1 - k) - k ^ n * (D / (1 - k) - - r)))
      with ((D / (1 - k) + r) * k ^ n) by ring.
    apply Rabs_pos_eq. apply Rmult_le_pos; [| apply pow_le; lra].
    apply Rplus_le_le_0_compat; [| assumption].
    apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra].
Qed.

(** Row 10: the displacement bound D + (1 + k) d(x0, x) at another point is attained as well, by
    T_i x = D - k x and the start -r. *)
Theorem displacement_other_start_attained : forall k D r, 0 <= k < 1 -> 0 <= D -> 0 <= r ->
  let T := fun (_ : nat) (x : R) => D - k * x in
  uniformly_lipschitz k T /\ displacement_le T (0 : R) D /\
  forall i, distance (- r) (T i (- r)) = D + (1 + k) * distance (0 : R) (- r).
Proof.
  intros k D r Hk HD Hr T. split; [| split].
  - intros i _ x y. unfold T. simpl.
    replace (D - k * x - (D - k * y)) with (- (k * (x - y))) by ring.
    rewrite Rabs_Ropp, Rabs_mult, (Rabs_pos_eq k); lra.
  - intros i _. unfold T. simpl. rewrite Rmult_0_r, Rminus_0_r, Rminus_0_l, Rabs_Ropp, Rabs_pos_eq; lra.
  - intros i. unfold T. simpl.
    replace (- r - (D - k * - r)) with (- (D + (1 + k) * r)) by ring.
    replace (0 - - r) with r by ring. rewrite Rabs_Ropp, !Rabs_pos_eq by nra. ring.
Qed.

(** Row 17: under the printed strict inequality d(x0, T_i x0) < D and with k > 0, the bound
    D/(1-k) k^n is never attained. *)
Theorem constant_never_attained_if_strict :
  forall {X : MetricSpace} (T : nat -> X -> X) k D x0 limit,
  complete X -> 0 < k < 1 -> uniformly_lipschitz k T ->
  (forall i, (1 <= i)%nat -> distance x0 (T i x0) < D) ->
  converges (fun n => backward T n x0) limit ->
  forall n, distance limit (backward T n x0) < D / (1 - k) * k ^ n.
Proof.
  intros X T k D x0 limit HX Hk HT HD Hl n.
  (* the limit of T_{a+1} T_{a+2} ... from x0, and its distance to x0 *)
  assert (Htail : forall a, exists l, converges (fun m => segment T a m x0) l /\
                                     distance x0 l <= D / (1 - k)).
  { intros a. destruct (backward_contraction (fun i => T (a + i)%nat) k D x0)
      as (l & H1 & H2 & _); auto; try lra.
    - intros i Hi. apply HT. lia.
    - intros i Hi. apply Rlt_le, HD. lia.
    - exists l. split.
      + apply (converges_ext (fun m => backward (fun i => T (a + i)%nat) m x0)); auto.
        intros m. symmetry. apply segment_shift.
      + specialize (H2 0%nat). unfold backward in H2; simpl in H2. rewrite distance_sym. lra. }
  destruct (Htail n) as (ln & Hln & _). destruct (Htail (S n)) as (ls & Hls & Dls).
  assert (E : ln = T (S n) ls).
  { apply (limit_unique (fun m => segment T n (S m) x0)).
    - apply (converges_shift (fun m => segment T n m x0) ln 1). assumption.
    - simpl. intros eps Heps. destruct (Hls eps Heps) as [N HN]. exists N. intros m Hm.
      specialize (HN m Hm).
      pose proof (HT (S n) ltac:(lia) (segment T (S n) m x0) ls).
      pose proof (distance_nonneg (segment T (S n) m x0) ls). nra. }
  rewrite (limit_identity T k x0 n limit ln) by (auto; lra).
  eapply Rle_lt_trans; [apply (two_starts T k); auto; lra |].
  rewrite Rmult_comm. apply Rmult_lt_compat_r; [apply pow_lt; lra |].
  rewrite distance_sym, E.
  eapply Rle_lt_trans; [apply (distance_triangle _ (T (S n) x0)) |].
  pose proof (HD (S n) ltac:(lia)). pose proof (HT (S n) ltac:(lia) x0 ls).
  assert (k * distance x0 ls <= k * (D / (1 - k))) by (apply Rmult_le_compat_l; lra).
  replace (D / (1 - k)) with (D + k * (D / (1 - k))) by (field; lra). lra.
Qed.

(** Row 17: yet it is the best constant: no C < D/(1-k) serves for all maps with
    d(x0, T_i x0) < D. *)
Theorem constant_is_best_if_strict : forall k D C, 0 < k < 1 -> 0 < D -> C < D / (1 - k) ->
  exists T : nat -> R -> R,
    uniformly_lipschitz k T /\
    (forall i, (1 <= i)%nat -> distance (0 : R) (T i 0) < D) /\
    exists limit : R,
      (forall x, converges (fun n => backward T n x) limit) /\
      (forall n, C * k ^ n < distance limit (backward T n 0)).
Proof.
  intros k D C Hk HD HC.
  assert (HC' : C * (1 - k) < D).
  { apply (Rmult_lt_compat_r (1 - k)) in HC; [| lra].
    replace (D / (1 - k) * (1 - k)) with D in HC by (field; lra). exact HC. }
  set (D' := (Rmax (C * (1 - k)) 0 + D) / 2).
  assert (HD' : 0 < D' < D /\ C * (1 - k) < D').
  { unfold D'. unfold Rmax. destruct (Rle_dec (C * (1 - k)) 0); lra. }
  destruct (constant_attained k D' ltac:(lra) ltac:(lra)) as (H1 & H2 & limit & H3 & H4).
  exists (fun _ => affine_map k D'). split; [exact H1 |]. split.
  - intros i Hi. specialize (H2 i Hi). lra.
  - exists limit. split; [exact H3 |]. intros n. rewrite H4.
    apply Rmult_lt_compat_r; [apply pow_lt; lra |].
    apply (Rmult_lt_reg_r (1 - k)); [lra |].
    replace (D' / (1 - k) * (1 - k)) with D' by (field; lra). lra.
Qed.

(** Row 32: invariance cannot be dropped. T x = x/2 + 3/5 is 1/2-Lipschitz, but it leaves [-1, 1]
    (displacement 3/5 > (1 - 1/2) 1), and its fixed point 6/5 lies outside. *)
Theorem ball_must_be_invariant :
  let T := affine_map (1 / 2) (3 / 5) in
  lipschitz (1 / 2) T /\ distance (0 : R) 1 <= 1 /\ 1 < distance (0 : R) (T 1) /\
  (forall p, T p = p -> 1 < distance (0 : R) p).
Proof.
  split; [apply affine_lipschitz; lra |]. unfold affine_map. simpl. repeat split.
  - replace (0 - 1) with (-1) by ring. rewrite Rabs_left; lra.
  - rewrite Rabs_left; lra.
  - intros p Hp. rewrite Rabs_left; lra.
Qed.
