(** Must fail: Lemma 2.5 (strongly_convex_step) without 0 <= h.
    The hypothesis between the markers is a comment here; the check restores it and wants success. *)
(** Counterexample: strongly_convex_step.v:nonnegative_step_needed *)
From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces inner_product_spaces strongly_convex_step.
Local Open Scope R_scope.
Local Open Scope vec_scope.

Theorem strongly_convex_step : forall {E : InnerProductSpace} (g : E -> E) m M h,
  0 <= m <= M -> strongly_monotone m g -> lipschitz_field M g -> (*- 0 <= h -> -*)
  forall x y, ‖step h g x -v step h g y‖ <= printed_factor m M h * ‖x -v y‖.
Proof.
  intros E g m M h. intros Hm Hmono Hlip; intros. pose proof (radicand_nonneg m M h Hm) as Hr.
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
