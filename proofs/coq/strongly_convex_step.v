(** Lemma 2.5: a gradient step on an m-strongly convex, M-smooth loss.

    In any real inner-product space: the printed factor with its exact range, and where it is
    attained. sharp_gradient_step.v has the sharp factor for gradients. *)

From Coq Require Import Reals Lra Lia.
From Coq Require Fin.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  inner_product_spaces.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** One step: theta - h g(theta). *)
Definition step {E : InnerProductSpace} (h : R) (g : E -> E) (x : E) : E := x -v h *v g x.

(** <g x - g y, x - y> >= m |x - y|^2. *)
Definition strongly_monotone {E : InnerProductSpace} (m : R) (g : E -> E) : Prop :=
  forall x y, m * ⟨x -v y, x -v y⟩ <= ⟨g x -v g y, x -v y⟩.

(** |g x - g y| <= M |x - y|. *)
Definition lipschitz_field {E : InnerProductSpace} (M : R) (g : E -> E) : Prop :=
  forall x y, ‖g x -v g y‖ <= M * ‖x -v y‖.

(** The factor printed in Lemma 2.5. *)
Definition printed_factor (m M h : R) : R := sqrt (1 - 2 * h * m + h ^ 2 * M ^ 2).

(** ** The printed factor *)

(** Row 29: the radicand is (1 - h m)^2 + h^2 (M^2 - m^2) >= 0. *)
Lemma radicand_nonneg : forall m M h, 0 <= m <= M -> 0 <= 1 - 2 * h * m + h ^ 2 * M ^ 2.
Proof.
  intros m M h H.
  replace (1 - 2 * h * m + h ^ 2 * M ^ 2) with ((1 - h * m) ^ 2 + h ^ 2 * (M ^ 2 - m ^ 2)) by ring.
  pose proof (pow2_ge_0 (1 - h * m)). pose proof (pow2_ge_0 h).
  assert (0 <= M ^ 2 - m ^ 2) by nra. nra.
Qed.

(** Lemma 2.5: |T x - T y| <= sqrt(1 - 2hm + h^2 M^2) |x - y| for h >= 0; g need not be a gradient. *)
Theorem strongly_convex_step : forall {E : InnerProductSpace} (g : E -> E) m M h,
  0 <= m <= M -> strongly_monotone m g -> lipschitz_field M g -> 0 <= h ->
  forall x y, ‖step h g x -v step h g y‖ <= printed_factor m M h * ‖x -v y‖.
Proof.
  intros E g m M h Hm Hmono Hlip Hh x y. pose proof (radicand_nonneg m M h Hm) as Hr.
  pose proof (norm_nonneg (x -v y)).
  apply norm_le_of_sq; [apply Rmult_le_pos; [apply sqrt_pos | assumption] |].
  replace (printed_factor m M h * ‖x -v y‖ * (printed_factor m M h * ‖x -v y‖))
    with (printed_factor m M h * printed_factor m M h * (‖x -v y‖ * ‖x -v y‖)) by ring.
  unfold printed_factor. rewrite sqrt_sqrt by exact Hr. rewrite norm_sq.
  replace (step h g x -v step h g y) with ((x -v y) -v h *v (g x -v g y)) by (unfold step; vec).
  specialize (Hmono x y). specialize (Hlip x y). pose proof (norm_nonneg (g x -v g y)).
  assert (Hsq : ⟨g x -v g y, g x -v g y⟩ <= M ^ 2 * ⟨x -v y, x -v y⟩).
  { rewrite <- !norm_sq. simpl. rewrite Rmult_1_r.
    replace (M * M * (‖x -v y‖ * ‖x -v y‖)) with (M * ‖x -v y‖ * (M * ‖x -v y‖)) by ring.
    apply Rmult_le_compat; assumption. }
  set (d := x -v y) in *. set (w := g x -v g y) in *.
  autorewrite with inner. rewrite (inner_sym d w).
  pose proof (pow2_ge_0 h).
  assert (h ^ 2 * ⟨w, w⟩ <= h ^ 2 * (M ^ 2 * ⟨d, d⟩)) by (apply Rmult_le_compat_l; assumption).
  assert (h * (m * ⟨d, d⟩) <= h * ⟨w, d⟩) by (apply Rmult_le_compat_l; assumption).
  lra.
Qed.

(** Rows 29 and 30: the printed factor is below 1 if and only if 0 < h < 2m/M^2. *)
Theorem printed_factor_contracts_iff : forall m M h, 0 < m <= M ->
  (printed_factor m M h < 1 <-> 0 < h < 2 * m / M ^ 2).
Proof.
  intros m M h H. pose proof (radicand_nonneg m M h ltac:(lra)) as Hr. unfold printed_factor.
  assert (HM : 0 < M ^ 2) by (apply pow_lt; lra).
  assert (E : 2 * m / M ^ 2 * M ^ 2 = 2 * m) by (field; lra).
  split.
  - intros Hs. assert (Hlt : 1 - 2 * h * m + h ^ 2 * M ^ 2 < 1).
    { apply Rnot_le_lt. intro Hge. apply sqrt_le_1_alt in Hge. rewrite sqrt_1 in Hge. lra. }
    assert (Hneg : h * (h * M ^ 2 - 2 * m) < 0) by (simpl in *; nra).
    assert (Hpos : 0 < h).
    { apply Rnot_le_lt. intro Hle. assert (h * M ^ 2 <= 0) by nra. nra. }
    split; [exact Hpos |]. apply (Rmult_lt_reg_r (M ^ 2)); [exact HM |]. rewrite E. nra.
  - intros [Hpos Hlt]. apply (Rmult_lt_compat_r (M ^ 2)) in Hlt; [| exact HM]. rewrite E in Hlt.
    apply Rlt_le_trans with (sqrt 1); [| rewrite sqrt_1; lra].
    apply sqrt_lt_1_alt. split; [exact Hr |].
    assert (h * (h * M ^ 2 - 2 * m) < 0) by nra. simpl in *; nra.
Qed.

(** Row 30: the interval (0,1) plays no part. m = M = 1/10 contracts up to h < 20, and
    m = 1, M = 10 has the printed factor 5 at h = 1/2. *)
Theorem unit_interval_is_irrelevant :
  (forall h, 0 < h < 20 -> printed_factor (1 / 10) (1 / 10) h < 1) /\ printed_factor 1 10 (1 / 2) = 5.
Proof.
  split.
  - intros h H. apply printed_factor_contracts_iff; lra.
  - unfold printed_factor. replace (1 - 2 * (1 / 2) * 1 + (1 / 2) ^ 2 * 10 ^ 2) with (5 * 5) by field.
    apply sqrt_square. lra.
Qed.

(** Row 31: h >= 0 is needed. For g x = M x with m < M and h = -1 the printed bound fails. *)
Theorem nonnegative_step_needed : forall m M, 0 < m < M ->
  let g : line -> line := fun x => M * x in
  strongly_monotone m g /\ lipschitz_field M g /\
  printed_factor m M (-1) * ‖(1 : line) -v 0‖ < ‖step (-1) g (1 : line) -v step (-1) g 0‖.
Proof.
  intros m M H g. unfold norm, step, sub. simpl. split; [| split].
  - intros x y. unfold g, sub. simpl. pose proof (Rle_0_sqr (x + -1 * y)). unfold Rsqr in *. nra.
  - intros x y. unfold norm, g, sub. simpl.
    replace ((M * x + -1 * (M * y)) * (M * x + -1 * (M * y)))
      with ((M * (x + -1 * y)) * (M * (x + -1 * y))) by ring.
    fold (Rsqr (M * (x + -1 * y))) (Rsqr (x + -1 * y)).
    rewrite !sqrt_Rsqr_abs, Rabs_mult, (Rabs_pos_eq M) by lra. lra.
  - unfold g, printed_factor.
    replace ((1 + -1 * 0) * (1 + -1 * 0)) with 1 by ring. rewrite sqrt_1, Rmult_1_r.
    apply sqrt_lt_1_alt. nra.
Qed.

(** Row 29: the printed factor is attained by the field V(x, y) = (m x - s y, s x + m y) of R^2,
    m^2 + s^2 = M^2, which is no gradient: |T x| = sqrt(1 - 2hm + h^2 M^2) |x| for all x. *)
Definition plane (a b : R) : euclidean 2 :=
  fun i => match proj1_sig (Fin.to_nat i) with O => a | _ => b end.

Definition rotational_field (m s : R) (x : euclidean 2) : euclidean 2 :=
  plane (m * x Fin.F1 - s * x (Fin.FS Fin.F1)) (s * x Fin.F1 + m * x (Fin.FS Fin.F1)).

Theorem printed_factor_attained : forall m s M h, 0 <= m -> 0 <= M -> m ^ 2 + s ^ 2 = M ^ 2 ->
  let g := rotational_field m s in
  strongly_monotone m g /\ lipschitz_field M g /\
  forall x y, ‖step h g x -v step h g y‖ = printed_factor m M h * ‖x -v y‖.
Proof.
  intros m s M h Hm HM Hs g.
  assert (EM : M * M = m * m + s * s) by (simpl in Hs; lra). split; [| split].
  - intros x y. unfold g, rotational_field, plane, sub. simpl. unfold dot. simpl. nra.
  - intros x y. unfold norm. rewrite <- (sqrt_square M) by assumption.
    rewrite <- sqrt_mult_alt by nra. apply sqrt_le_1_alt. rewrite EM.
    unfold g, rotational_field, plane, sub. simpl. unfold dot. simpl. nra.
  - intros x y. unfold printed_factor, norm. rewrite <- sqrt_mult_alt.
    + f_equal. unfold step, g, rotational_field, plane, sub. simpl. unfold dot. simpl.
      rewrite !Rmult_1_r, EM. ring.
    + apply radicand_nonneg. split; [assumption | nra].
Qed.
