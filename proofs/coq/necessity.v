(** Which hypotheses of Theorem 2.2 are needed: counterexamples without a common factor, without
    a bounded displacement and without completeness, and the sharp sufficient condition with a
    factor of its own for every map (row 20). *)

From Coq Require Import Reals Lra Lia ZArith.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  sharp_constant.
Local Open Scope R_scope.

(** factor_product K n = K_1 K_2 ... K_n. *)
Fixpoint factor_product (K : nat -> R) (n : nat) : R :=
  match n with
  | O => 1
  | S n' => factor_product K n' * K (S n')
  end.

Lemma factor_product_nonneg : forall K n, (forall i, (1 <= i)%nat -> 0 <= K i) ->
  0 <= factor_product K n.
Proof.
  intros K n HK. induction n; simpl; [lra |]. apply Rmult_le_pos; [exact IHn | apply HK; lia].
Qed.

(** ** The sufficient condition of row 20 *)
Section VariableFactors.
  Context {X : MetricSpace} (T : nat -> X -> X) (K : nat -> R) (x0 : X).
  Hypothesis K_nonneg : forall i, (1 <= i)%nat -> 0 <= K i.
  Hypothesis T_lipschitz : forall i, (1 <= i)%nat -> lipschitz (K i) (T i).

  (** K_1 ... K_i d(x0, T_{i+1} x0), the weighted displacement. *)
  Definition weighted_displacement (i : nat) : R :=
    factor_product K i * distance x0 (T (S i) x0).

  (** d(T_1...T_n x, T_1...T_n y) <= K_1 ... K_n d(x, y). *)
  Lemma backward_product_lipschitz : forall n x y,
    distance (backward T n x) (backward T n y) <= factor_product K n * distance x y.
  Proof.
    induction n; intros x y; [unfold backward; simpl; lra |].
    rewrite !backward_succ. simpl.
    eapply Rle_trans; [apply IHn |]. rewrite Rmult_assoc.
    apply Rmult_le_compat_l; [apply factor_product_nonneg; assumption |].
    apply T_lipschitz. lia.
  Qed.

  Lemma weighted_displacement_nonneg : forall i, 0 <= weighted_displacement i.
  Proof.
    intros. apply Rmult_le_pos; [apply factor_product_nonneg; assumption | apply distance_nonneg].
  Qed.

  Lemma increments_bounded_by_weights : forall n m, (n <= m)%nat ->
    distance (backward T n x0) (backward T m x0)
      <= Rsum m weighted_displacement - Rsum n weighted_displacement.
  Proof.
    intros n m H. induction H as [| m H IH].
    - rewrite distance_refl. lra.
    - simpl Rsum. rewrite backward_succ.
      pose proof (distance_triangle (backward T n x0) (backward T m x0)
        (backward T m (T (S m) x0))).
      pose proof (backward_product_lipschitz m x0 (T (S m) x0)).
      unfold weighted_displacement at 2. lra.
  Qed.

  (** Row 20: if K_1...K_{i-1} d(x0, T_i x0) is summable over i, with sum total, then the backward
      iterates converge, and d(theta*, theta_n) <= the tail of that sum from i = n + 1 on. *)
  Theorem summable_displacements_suffice : forall total, complete X ->
    Un_cv (fun n => Rsum n weighted_displacement) total ->
    exists limit, converges (fun n => backward T n x0) limit /\
      forall n, distance limit (backward T n x0) <= total - Rsum n weighted_displacement.
  Proof.
    intros total HX Hsum.
    assert (Hle : forall n, Rsum n weighted_displacement <= total).
    { intros n. apply (growing_ineq (fun n => Rsum n weighted_displacement)); [| exact Hsum].
      intros i. simpl. pose proof (weighted_displacement_nonneg i). lra. }
    assert (Htail : forall n m, (n <= m)%nat -> distance (backward T n x0) (backward T m x0)
              <= total - Rsum n weighted_displacement).
    { intros n m H. pose proof (increments_bounded_by_weights n m H). pose proof (Hle m). lra. }
    destruct (HX (fun n => backward T n x0)) as [limit Hl].
    - apply (cauchy_of_tail_bound _ (fun n => total - Rsum n weighted_displacement)); [exact Htail |].
      intros eps He. destruct (Hsum eps He) as [N HN]. exists N. intros n Hn. specialize (HN n Hn).
      unfold R_dist in *. rewrite Rabs_minus_sym in HN.
      replace (total - Rsum n weighted_displacement - 0)
        with (total - Rsum n weighted_displacement) by ring. exact HN.
    - exists limit. split; [exact Hl |]. intros n. rewrite distance_sym.
      apply (distance_limit_le _ _ _ _ n Hl). apply Htail.
  Qed.

  (** If moreover K_1...K_n -> 0, the limit is the same from every start. *)
  Theorem vanishing_product_gives_one_limit : forall limit x,
    Un_cv (factor_product K) 0 -> converges (fun n => backward T n x0) limit ->
    converges (fun n => backward T n x) limit.
  Proof.
    intros limit x HK Hl.
    apply (converges_close (fun n => backward T n x0) _ _
             (fun n => factor_product K n * distance x0 x)); [| | exact Hl].
    - intros n. apply backward_product_lipschitz.
    - rewrite <- (Rmult_0_l (distance x0 x)). apply CV_mult; [exact HK |].
      intros eps He. exists 0%nat. intros n _. unfold R_dist.
      rewrite Rminus_diag_eq, Rabs_R0; auto.
  Qed.
End VariableFactors.

(** ** Affine maps K_i x + b_i of the line *)
Definition affine_maps (K b : nat -> R) (i : nat) (x : R) : R := K i * x + b i.

Lemma affine_maps_lipschitz : forall K b i, 0 <= K i -> lipschitz (K i) (affine_maps K b i).
Proof. intros K b i HK. apply (affine_lipschitz (K i) (b i)). exact HK. Qed.

(** T_1...T_n x = K_1...K_n x + sum_{i < n} K_1...K_i b_{i+1}. *)
Lemma affine_maps_backward : forall K b n x,
  backward (affine_maps K b) n x
    = factor_product K n * x + Rsum n (fun i => factor_product K i * b (S i)).
Proof.
  induction n; intros x; [unfold backward; simpl; ring |].
  rewrite backward_succ, IHn. simpl. unfold affine_maps. ring.
Qed.

(** Row 20, exactness: for maps K_i x + b_i with K_i, b_i >= 0, started at 0, the condition is
    also necessary. *)
Theorem summability_exact_for_positive_affine_maps : forall K b,
  (forall i, (1 <= i)%nat -> 0 <= K i) -> (forall i, (1 <= i)%nat -> 0 <= b i) ->
  ((exists limit, converges (fun n => backward (affine_maps K b) n 0) limit) <->
   (exists total, Un_cv (fun n => Rsum n (weighted_displacement (affine_maps K b) K 0)) total)).
Proof.
  intros K b HK Hb.
  assert (E : forall n, backward (affine_maps K b) n 0
                        = Rsum n (weighted_displacement (affine_maps K b) K 0)).
  { intros n. rewrite affine_maps_backward, Rmult_0_r, Rplus_0_l. apply Rsum_ext. intros i _.
    unfold weighted_displacement, affine_maps. simpl.
    rewrite Rmult_0_r, Rplus_0_l, Rminus_0_l, Rabs_Ropp, Rabs_pos_eq by (apply Hb; lia).
    reflexivity. }
  split; intros [l Hl]; exists l; intros eps He; destruct (Hl eps He) as [N HN]; exists N;
    intros n Hn; specialize (HN n Hn); [rewrite <- E | rewrite E]; exact HN.
Qed.

(** ** Counterexamples *)

(** A sequence of reals that passes every bound has no limit. *)
Lemma unbounded_diverges : forall u : nat -> R,
  (forall B, exists N, forall n, (N <= n)%nat -> B < u n) -> ~ exists l, converges u l.
Proof.
  intros u H [l Hl]. destruct (Hl 1 Rlt_0_1) as [N HN]. destruct (H (l + 1)) as [N' HN'].
  specialize (HN (max N N') ltac:(lia)). specialize (HN' (max N N') ltac:(lia)).
  simpl in HN. apply Rabs_def2 in HN. lra.
Qed.

Lemma INR_unbounded : forall B, exists n, B < INR n.
Proof.
  intros B. exists (Z.to_nat (up B)). pose proof (archimed B) as [H _].
  destruct (Z_le_gt_dec 0 (up B)) as [Hz | Hz].
  - rewrite INR_IZR_INZ, Z2Nat.id by assumption. lra.
  - assert (IZR (up B) <= 0) by (apply (IZR_le _ 0); lia).
    pose proof (pos_INR (Z.to_nat (up B))). lra.
Qed.

Lemma INR_passes : forall B c, 0 < c -> exists N, forall n, (N <= n)%nat -> B < c * INR n.
Proof.
  intros B c Hc. destruct (INR_unbounded (B / c)) as [N HN]. exists N. intros n Hn.
  apply le_INR in Hn. replace B with (c * (B / c)) by (field; lra).
  apply Rmult_lt_compat_l; lra.
Qed.

Lemma INR_plus_1_pos : forall n, 0 < INR n + 1.
Proof. intros n. pose proof (pos_INR n). lra. Qed.

(** The factors 1 - 1/(i+1)^2 of row 19. *)
Definition slow_factor (i : nat) : R := 1 - / (INR i + 1) ^ 2.

Lemma slow_factor_range : forall i, (1 <= i)%nat -> 0 <= slow_factor i < 1.
Proof.
  intros i Hi. unfold slow_factor. pose proof (le_INR 1 i Hi) as H. simpl in H.
  assert (0 < / (INR i + 1) ^ 2) by (apply Rinv_0_lt_compat, pow_lt; lra).
  assert (/ (INR i + 1) ^ 2 <= / 1) by (apply Rinv_le_contravar; [lra | simpl; nra]).
  rewrite Rinv_1 in *. lra.
Qed.

(** K_1 ... K_n = (n + 2) / (2 (n + 1)). *)
Lemma slow_factor_product : forall n,
  factor_product slow_factor n = 1 / 2 + 1 / 2 * / (INR n + 1).
Proof.
  induction n; [simpl; field |].
  simpl factor_product. rewrite IHn, S_INR. unfold slow_factor. rewrite S_INR.
  pose proof (pos_INR n). field. lra.
Qed.

(** Row 19: without a common k < 1 the theorem fails. T_i x = (1 - (i+1)^{-2}) x + 1 has a
    factor < 1 of its own for each i and displacement 1, and yet
    theta_n = n/2 + (1/2) (1 + 1/2 + ... + 1/n), which diverges. *)
Theorem common_factor_needed :
  let T := affine_maps slow_factor (fun _ => 1) in
  (forall i, (1 <= i)%nat -> slow_factor i < 1 /\ lipschitz (slow_factor i) (T i)) /\
  displacement_le T 0 1 /\
  (forall n, backward T n 0 = INR n / 2 + 1 / 2 * Rsum n (fun i => / (INR i + 1))) /\
  ~ exists limit, converges (fun n => backward T n 0) limit.
Proof.
  intros T.
  assert (E : forall n, backward T n 0 = INR n / 2 + 1 / 2 * Rsum n (fun i => / (INR i + 1))).
  { intros n. unfold T. rewrite affine_maps_backward, Rmult_0_r, Rplus_0_l.
    rewrite (Rsum_ext n _ (fun i => 1 / 2 + 1 / 2 * / (INR i + 1)))
      by (intros; rewrite slow_factor_product; ring).
    rewrite Rsum_plus, Rsum_const, Rsum_scale. field. }
  split; [| split; [| split; [exact E |]]].
  - intros i Hi. pose proof (slow_factor_range i Hi). split; [lra |].
    apply affine_maps_lipschitz. lra.
  - intros i Hi. unfold T, affine_maps. simpl. rewrite Rabs_left; lra.
  - apply unbounded_diverges. intros B.
    destruct (INR_passes B (1 / 2) ltac:(lra)) as [N HN]. exists N. intros n Hn.
    specialize (HN n Hn). rewrite E.
    pose proof (Rsum_nonneg n (fun i => / (INR i + 1))
      (fun i _ => Rlt_le _ _ (Rinv_0_lt_compat _ (INR_plus_1_pos i)))). lra.
Qed.

(** Theorem 2.2 without k < 1: x + 1 is 1-Lipschitz and has displacement 1, and T_1...T_n 0 = n. *)
Theorem factor_below_one_needed :
  let T := fun _ : nat => affine_map 1 1 in
  uniformly_lipschitz 1 T /\ displacement_le T (0 : R) 1 /\ (forall n, backward T n 0 = INR n) /\
  ~ exists limit, converges (fun n => backward T n 0) limit.
Proof.
  intros T.
  assert (E : forall n, backward T n 0 = INR n).
  { intros n. unfold T. rewrite backward_one_map. induction n; [reflexivity |].
    rewrite S_INR. simpl. rewrite IHn. unfold affine_map. ring. }
  split; [intros i _; apply affine_lipschitz; lra |]. split; [| split; [exact E |]].
  - intros i _. unfold T, affine_map. simpl. rewrite Rabs_left; lra.
  - apply unbounded_diverges. intros B. destruct (INR_passes B 1 Rlt_0_1) as [N HN].
    exists N. intros n Hn. rewrite E. specialize (HN n Hn). lra.
Qed.

Lemma half_product : forall n, factor_product (fun _ => 1 / 2) n = (1 / 2) ^ n.
Proof. induction n; simpl; [reflexivity | rewrite IHn; ring]. Qed.

Lemma half_uniformly_lipschitz : forall b, uniformly_lipschitz (1 / 2) (affine_maps (fun _ => 1 / 2) b).
Proof. intros b i _. apply (affine_maps_lipschitz (fun _ => 1 / 2) b i). lra. Qed.

(** Row 20: without a bounded displacement the theorem fails. T_i x = x/2 + 2^i has
    theta_n = 2 n from 0. *)
Theorem bounded_displacement_needed :
  let T := affine_maps (fun _ => 1 / 2) (fun i => 2 ^ i) in
  uniformly_lipschitz (1 / 2) T /\
  (forall n, backward T n 0 = 2 * INR n) /\
  ~ exists limit, converges (fun n => backward T n 0) limit.
Proof.
  intros T.
  assert (E : forall n, backward T n 0 = 2 * INR n).
  { intros n. unfold T. rewrite affine_maps_backward, Rmult_0_r, Rplus_0_l.
    rewrite (Rsum_ext n _ (fun _ => 2)).
    - rewrite Rsum_const. ring.
    - intros i _. rewrite half_product. simpl. rewrite (Rmult_comm 2), <- Rmult_assoc, <- Rpow_mult_distr.
      replace (1 / 2 * 2) with 1 by field. rewrite pow1. ring. }
  split; [apply half_uniformly_lipschitz | split; [exact E |]].
  apply unbounded_diverges. intros B. destruct (INR_passes B 2 ltac:(lra)) as [N HN].
  exists N. intros n Hn. rewrite E. auto.
Qed.

(** Row 20: a bounded displacement is not necessary. T_i x = x/2 + i has unbounded displacement
    at every point, and its backward iterates theta_n = 4 - (2n + 4)/2^n converge to 4. *)
Theorem bounded_displacement_not_necessary :
  let T := affine_maps (fun _ => 1 / 2) INR in
  uniformly_lipschitz (1 / 2) T /\
  (forall x D, ~ displacement_le T x D) /\
  (forall n, backward T n 0 = 4 - (2 * INR n + 4) * (1 / 2) ^ n) /\
  converges (fun n => backward T n 0) 4.
Proof.
  intros T.
  assert (E : forall n, backward T n 0 = 4 - (2 * INR n + 4) * (1 / 2) ^ n).
  { intros n. unfold T. rewrite affine_maps_backward, Rmult_0_r, Rplus_0_l.
    induction n; [simpl; ring |]. rewrite Rsum_S, IHn, half_product, !S_INR. simpl. field. }
  split; [apply half_uniformly_lipschitz |]. split; [| split; [exact E |]].
  - intros x D H. destruct (INR_unbounded (Rabs x + D)) as [N HN].
    pose proof (H (S N) ltac:(lia)) as H1. change (Rabs (x - (1 / 2 * x + INR (S N))) <= D) in H1.
    rewrite S_INR in H1. pose proof (Rabs_pos x). pose proof (Rle_abs x). pose proof (Rle_abs (- x)).
    rewrite Rabs_Ropp in *. rewrite Rabs_minus_sym in H1.
    pose proof (Rle_abs (1 / 2 * x + (INR N + 1) - x)). lra.
  - (* (2n + 4)/2^n <= 8 (3/4)^n, since (2n + 4) (2/3)^n decreases from n = 1 *)
    apply (converges_within _ _ (fun n => 8 * (3 / 4) ^ n)); [| apply geometric_vanishes; lra].
    intros n. rewrite E. simpl distance.
    replace (4 - (2 * INR n + 4) * (1 / 2) ^ n - 4) with (- ((2 * INR n + 4) * (1 / 2) ^ n)) by ring.
    pose proof (pos_INR n). pose proof (pow_lt (1 / 2) n ltac:(lra)).
    rewrite Rabs_Ropp, Rabs_pos_eq by nra.
    induction n; [simpl; lra |].
    rewrite S_INR. simpl pow. pose proof (pos_INR n). pose proof (pow_lt (1 / 2) n ltac:(lra)).
    specialize (IHn ltac:(lra) ltac:(lra)). nra.
Qed.

(** Row 21: completeness is needed. On (0, infinity), T x = x/2 is a 1/2-contraction into itself
    with a bounded displacement, but no point of (0, infinity) is the limit of its iterates. *)
Theorem completeness_needed :
  let T := fun _ : nat => affine_map (1 / 2) 0 in
  (forall i x, 0 < x -> 0 < T i x) /\ uniformly_lipschitz (1 / 2) T /\ displacement_le T 1 (1 / 2) /\
  forall limit x, 0 < x -> converges (fun n => backward T n x) limit -> ~ 0 < limit.
Proof.
  intros T. split; [| split; [| split]].
  - intros i x Hx. unfold T, affine_map. lra.
  - intros i _. apply affine_lipschitz. lra.
  - intros i _. unfold T, affine_map. simpl. rewrite Rabs_pos_eq; lra.
  - intros limit x Hx Hl Hpos.
    pose proof (limit_unique _ _ _ Hl (affine_limit (1 / 2) 0 x ltac:(lra))). lra.
Qed.
