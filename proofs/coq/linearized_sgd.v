(** Section 3.2: SGD near a minimum p, T_i(theta) = p + A (theta - p) + h eps_i with A = 1 - hH,
    in any real inner-product space (so in R^d). *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  inner_product_spaces sharp_gradient_step.
Local Open Scope R_scope.
Local Open Scope vec_scope.

Section LinearizedSGD.
  Context {E : InnerProductSpace}.
  Variables (h : R) (minimum : E) (H : E -> E) (eps : nat -> E).
  Hypothesis H_add : forall x y, H (x +v y) = H x +v H y.
  Hypothesis H_scale : forall a x, H (a *v x) = a *v H x.

  (** A = 1 - hH. *)
  Definition A (x : E) : E := x -v h *v H x.

  (** One update with the linearised gradient H (theta - p) - eps_i. *)
  Definition linearized_step (i : nat) (theta : E) : E :=
    theta -v h *v (H (theta -v minimum) -v eps i).

  Lemma A_add : forall x y, A (x +v y) = A x +v A y.
  Proof. intros. unfold A. rewrite H_add. vec. Qed.

  Lemma A_scale : forall a x, A (a *v x) = a *v A x.
  Proof. intros. unfold A. rewrite H_scale. vec. Qed.

  Lemma A_power_add : forall n x y, Nat.iter n A (x +v y) = Nat.iter n A x +v Nat.iter n A y.
  Proof. induction n; intros; simpl; [reflexivity | rewrite IHn; apply A_add]. Qed.

  Lemma A_power_scale : forall n a x, Nat.iter n A (a *v x) = a *v Nat.iter n A x.
  Proof. induction n; intros; simpl; [reflexivity | rewrite IHn; apply A_scale]. Qed.

  Lemma A_power_last : forall n x, Nat.iter (S n) A x = Nat.iter n A (A x).
  Proof. induction n; intros; simpl; [reflexivity | rewrite <- IHn; reflexivity]. Qed.

  Lemma A_vsum : forall n (v : nat -> E), A (vsum n v) = vsum n (fun i => A (v i)).
  Proof.
    induction n; intros; simpl; [| rewrite A_add, IHn; reflexivity].
    replace (zero : E) with (0 *v (zero : E)) at 1 by vec. rewrite A_scale. vec.
  Qed.

  (** Section 3.2, the map (row 49, with the right sign):
      theta - h (H (theta - p) - eps_i) = p + A (theta - p) + h eps_i. *)
  Theorem linearized_step_affine : forall i theta,
    linearized_step i theta = minimum +v A (theta -v minimum) +v h *v eps i.
  Proof. intros. unfold linearized_step, A. vec. Qed.

  (** Section 3.2, forward (row 52):
      T_n...T_1 theta = p + A^n (theta - p) + sum_{j < n} h A^j eps_{n-j}. *)
  Theorem linearized_forward : forall n theta,
    forward linearized_step n theta
      = minimum +v Nat.iter n A (theta -v minimum)
        +v vsum n (fun j => h *v Nat.iter j A (eps (n - j)%nat)).
  Proof.
    induction n; intros theta; [simpl; vec |].
    simpl forward. rewrite linearized_step_affine, IHn, vsum_first.
    replace (minimum +v Nat.iter n A (theta -v minimum)
               +v vsum n (fun j => h *v Nat.iter j A (eps (n - j)%nat)) -v minimum)
      with (Nat.iter n A (theta -v minimum) +v vsum n (fun j => h *v Nat.iter j A (eps (n - j)%nat)))
      by vec.
    rewrite A_add, A_vsum, Nat.sub_0_r. simpl Nat.iter.
    rewrite (vsum_ext n (fun i => A (h *v Nat.iter i A (eps (n - i)%nat)))
               (fun i => h *v A (Nat.iter i A (eps (n - i)%nat)))) by (intros; apply A_scale).
    simpl Nat.sub. vec.
  Qed.

  (** Section 3.2, backward (row 52):
      T_1...T_n theta = p + A^n (theta - p) + sum_{j < n} h A^j eps_{j+1}. *)
  Theorem linearized_backward : forall n theta,
    backward linearized_step n theta
      = minimum +v Nat.iter n A (theta -v minimum)
        +v vsum n (fun j => h *v Nat.iter j A (eps (S j))).
  Proof.
    induction n; intros theta; [unfold backward; simpl; vec |].
    rewrite backward_succ, IHn, linearized_step_affine.
    replace (minimum +v A (theta -v minimum) +v h *v eps (S n) -v minimum)
      with (A (theta -v minimum) +v h *v eps (S n)) by vec.
    rewrite A_power_add, A_power_scale, <- A_power_last. simpl vsum. vec.
  Qed.

  (** Rows 50 and 51, Theorem 2.2 for Section 3.2: a symmetric H with m |x|^2 <= <Hx, x> <= M |x|^2,
      m > 0 (H positive definite), 0 < h < 2/M and bounded noise |eps_i| <= B give convergence, with
      k = max(|1 - hm|, |1 - hM|) and |limit - T_1...T_n theta|
      <= (h B/(1-k) + |p - theta|) k^n. *)
  Theorem linearized_backward_converges : forall m M B,
    complete (norm_metric E) -> 0 < m <= M -> 0 < h < 2 / M ->
    (forall x y, ⟨H x, y⟩ = ⟨x, H y⟩) -> (forall x, m * ⟨x, x⟩ <= ⟨H x, x⟩ <= M * ⟨x, x⟩) ->
    (forall i, (1 <= i)%nat -> ‖eps i‖ <= B) ->
    let k := sharp_factor m M h in
    k < 1 /\ exists limit : E, forall theta,
      converges (X := norm_metric E) (fun n => backward linearized_step n theta) limit /\
      forall n, ‖limit -v backward linearized_step n theta‖
                <= (h * B / (1 - k) + ‖minimum -v theta‖) * k ^ n.
  Proof.
    intros m M B HE Hm Hh Hsym Hrange HB k.
    assert (Hk : k < 1) by (apply sharp_factor_contracts_iff; assumption). split; [exact Hk |].
    assert (Hk0 : 0 <= k) by (unfold k, sharp_factor; pose proof (Rabs_pos (1 - h * m));
      pose proof (Rmax_l (Rabs (1 - h * m)) (Rabs (1 - h * M))); lra).
    destruct (backward_contraction (X := norm_metric E) linearized_step k (h * B) minimum)
      as (limit & H1 & _ & H2).
    - exact HE.
    - lra.
    - intros i _ x y. simpl.
      replace (linearized_step i x -v linearized_step i y) with (A (x -v y)).
      + apply sharp_factor_for_symmetric_operators; auto. lra.
      + rewrite !linearized_step_affine.
        replace (x -v y) with ((x -v minimum) +v (-1) *v (y -v minimum)) by vec.
        rewrite A_add, A_scale. vec.
    - intros i Hi. simpl. rewrite linearized_step_affine.
      replace (minimum -v minimum) with (0 *v minimum) by vec. rewrite A_scale.
      replace (minimum -v (minimum +v 0 *v A minimum +v h *v eps i)) with ((- h) *v eps i) by vec.
      rewrite norm_scale, Rabs_Ropp, Rabs_pos_eq by lra. apply Rmult_le_compat_l; [lra | auto].
    - exists limit. intros theta. split; [apply H1 | intros n; apply (H2 theta n)].
  Qed.
End LinearizedSGD.

(** Row 49: with the printed sign the map is another one. On the line with p = 1, H = 1,
    h = 1/10, eps = 0 the step sends 2 to 19/10, and p + (1 - hH)(p - theta) is 1/10. *)
Theorem printed_sign_refuted :
  let H := (fun x : line => x) in
  linearized_step (E := line) (1 / 10) 1 H (fun _ => 0) 1 2 = 19 / 10 /\
  (1 : line) +v A (1 / 10) H ((1 : line) -v (2 : line)) +v (1 / 10) *v (0 : line) = 1 / 10.
Proof. unfold linearized_step, A, sub. simpl. split; field. Qed.

(** Section 3.2 in R^d: the theorem above holds there, since R^d is complete. *)
Corollary linearized_backward_converges_in_Rd : forall d h (minimum : euclidean d)
  (H : euclidean d -> euclidean d) (eps : nat -> euclidean d) m M B,
  (forall x y, H (x +v y) = H x +v H y) -> (forall a x, H (a *v x) = a *v H x) ->
  0 < m <= M -> 0 < h < 2 / M ->
  (forall x y, ⟨H x, y⟩ = ⟨x, H y⟩) -> (forall x, m * ⟨x, x⟩ <= ⟨H x, x⟩ <= M * ⟨x, x⟩) ->
  (forall i, (1 <= i)%nat -> ‖eps i‖ <= B) ->
  exists limit : euclidean d, forall theta,
    converges (X := norm_metric (euclidean d))
      (fun n => backward (linearized_step h minimum H eps) n theta) limit.
Proof.
  intros d h minimum H eps m M B Hadd Hscale Hm Hh Hsym Hrange HB.
  destruct (linearized_backward_converges h minimum H eps Hadd Hscale m M B
    (euclidean_complete d) Hm Hh Hsym Hrange HB) as (_ & limit & Hl).
  exists limit. intros theta. apply Hl.
Qed.
