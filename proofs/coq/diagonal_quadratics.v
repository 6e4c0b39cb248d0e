(** Gradient steps on diagonal quadratics of R^d: their exact Lipschitz constant. It attains the
    sharp factor for gradients, and shows what Example 2.1 leaves out. *)

From Coq Require Import Reals Lra Lia FunctionalExtensionality.
From Coq Require Fin.
From TrainingInReverse Require Import metric_spaces inner_product_spaces strongly_convex_step
  sharp_gradient_step.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** The gradient of sum_i lambda_i (x_i - c_i)^2 / 2. *)
Definition diagonal_gradient {d} (lambda c : coordinates d) : euclidean d -> euclidean d :=
  fun x i => lambda i * (x i - c i).

(** The i-th unit vector. *)
Definition unit_vector {d} (i : Fin.t d) : euclidean d := fun j => if Fin.eq_dec i j then 1 else 0.

Lemma unit_vector_nonzero : forall d (i : Fin.t d), 0 < ‖unit_vector i‖.
Proof.
  intros d i. eapply Rlt_le_trans; [apply Rlt_0_1 |].
  eapply Rle_trans; [| apply (coordinate_le_norm d (unit_vector i) i)].
  unfold unit_vector. destruct (Fin.eq_dec i i); [rewrite Rabs_R1; lra | contradiction].
Qed.

(** Along the i-th axis the step has exactly the factor |1 - h lambda_i|. *)
Lemma step_along_axis : forall d (lambda c : coordinates d) h i (x : euclidean d),
  ‖step h (diagonal_gradient lambda c) (x +v unit_vector i)
     -v step h (diagonal_gradient lambda c) x‖
  = Rabs (1 - h * lambda i) * ‖(x +v unit_vector i) -v x‖.
Proof.
  intros d lambda c h i x. rewrite <- norm_scale. f_equal.
  apply functional_extensionality. intros j.
  unfold step, diagonal_gradient, sub. simpl.
  unfold unit_vector. destruct (Fin.eq_dec i j) as [-> |]; ring.
Qed.

(** Rows 7, 8 and 29: the step on a diagonal quadratic has the Lipschitz constant q if and only
    if |1 - h lambda_i| <= q for every i, so its best constant is max_i |1 - h lambda_i|. *)
Theorem diagonal_quadratic_factor : forall d (lambda c : coordinates (S d)) h q,
  (forall x y : euclidean (S d),
     ‖step h (diagonal_gradient lambda c) x -v step h (diagonal_gradient lambda c) y‖
       <= q * ‖x -v y‖)
  <-> (forall i, Rabs (1 - h * lambda i) <= q).
Proof.
  intros d lambda c h q. split.
  - intros H i. specialize (H (zero +v unit_vector i) zero). rewrite step_along_axis in H.
    replace (zero +v unit_vector i -v zero) with (unit_vector i) in H by vec.
    apply (Rmult_le_reg_r (‖unit_vector i‖)); [apply unit_vector_nonzero | exact H].
  - intros H x y.
    assert (Hq : 0 <= q).
    { specialize (H Fin.F1). pose proof (Rabs_pos (1 - h * lambda Fin.F1)). lra. }
    pose proof (norm_nonneg (x -v y)).
    apply norm_le_of_sq; [apply Rmult_le_pos; assumption |].
    replace (q * ‖x -v y‖ * (q * ‖x -v y‖)) with (q * q * (‖x -v y‖ * ‖x -v y‖)) by ring.
    rewrite norm_sq. unfold step, diagonal_gradient, sub.
    set (n := S d) in *. simpl. unfold dot. rewrite <- sum_fin_scale. apply sum_fin_le. intros i.
    replace ((x i + -1 * (h * (lambda i * (x i - c i)))
              + -1 * (y i + -1 * (h * (lambda i * (y i - c i))))))
      with ((1 - h * lambda i) * (x i + -1 * y i)) by ring.
    assert (Hs : (1 - h * lambda i) * (1 - h * lambda i) <= q * q).
    { fold (Rsqr (1 - h * lambda i)) (Rsqr q). apply Rsqr_le_abs_1.
      rewrite (Rabs_pos_eq q) by exact Hq. apply H. }
    pose proof (Rle_0_sqr (x i + -1 * y i)). unfold Rsqr in *. nra.
Qed.

(** Row 29: where m and M are among the lambda_i, the sharp factor is attained (no smaller
    constant serves), so sharp_factor_for_gradients cannot be improved. *)
Theorem sharp_factor_attained : forall d (lambda c : coordinates (S d)) m M h i j q,
  lambda i = m -> lambda j = M ->
  (forall x y : euclidean (S d),
     ‖step h (diagonal_gradient lambda c) x -v step h (diagonal_gradient lambda c) y‖
       <= q * ‖x -v y‖) ->
  sharp_factor m M h <= q.
Proof.
  intros d lambda c m M h i j q <- <- H0.
  pose proof (proj1 (diagonal_quadratic_factor d lambda c h q) H0) as H.
  apply Rmax_lub; apply H.
Qed.

(** Row 8: "h < 2/lambda_max" alone does not make 1 - hH a contraction. With H = diag(0, 4) and
    h = 2/5 < 2/4 every Lipschitz constant q is at least 1; with H = diag(-1/10, 4), at least
    26/25; and h may not be negative: H = diag(1, 4) with h = -1/10 has q >= 7/5. *)
Theorem positive_definite_and_positive_step_needed : forall q,
  let has_constant h lambda := forall x y : euclidean 2,
    ‖step h (diagonal_gradient lambda (fun _ => 0)) x
       -v step h (diagonal_gradient lambda (fun _ => 0)) y‖ <= q * ‖x -v y‖ in
  (has_constant (2 / 5) (plane 0 4) -> 1 <= q) /\
  (has_constant (2 / 5) (plane (-1 / 10) 4) -> 26 / 25 <= q) /\
  (has_constant (-1 / 10) (plane 1 4) -> 7 / 5 <= q).
Proof.
  intros q has_constant. unfold has_constant.
  split; [| split]; intros H0;
    pose proof (proj1 (diagonal_quadratic_factor 1 _ _ _ q) H0) as H;
    [specialize (H Fin.F1) | specialize (H Fin.F1) | specialize (H (Fin.FS Fin.F1))];
    unfold plane in H; simpl in H; rewrite Rabs_pos_eq in H; lra.
Qed.
