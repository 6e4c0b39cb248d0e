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

(** Section 3.2 in R^d: the theorem above holds there with its rate, since R^d is complete. *)
Corollary linearized_backward_converges_in_Rd : forall d h (minimum : euclidean d)
  (H : euclidean d -> euclidean d) (eps : nat -> euclidean d) m M B,
  (forall x y, H (x +v y) = H x +v H y) -> (forall a x, H (a *v x) = a *v H x) ->
  0 < m <= M -> 0 < h < 2 / M ->
  (forall x y, ⟨H x, y⟩ = ⟨x, H y⟩) -> (forall x, m * ⟨x, x⟩ <= ⟨H x, x⟩ <= M * ⟨x, x⟩) ->
  (forall i, (1 <= i)%nat -> ‖eps i‖ <= B) ->
  let k := sharp_factor m M h in
  k < 1 /\ exists limit : euclidean d, forall theta,
    converges (X := norm_metric (euclidean d))
      (fun n => backward (linearized_step h minimum H eps) n theta) limit /\
    forall n, ‖limit -v backward (linearized_step h minimum H eps) n theta‖
              <= (h * B / (1 - k) + ‖minimum -v theta‖) * k ^ n.
Proof.
  intros d h minimum H eps m M B Hadd Hscale Hm Hh Hsym Hrange HB.
  apply linearized_backward_converges; try assumption. apply euclidean_complete.
Qed.

(** ** When the step contracts *)

Section Contraction.
  Context {E : InnerProductSpace}.
  Variables (h : R) (H : E -> E).
  Hypothesis H_add : forall x y, H (x +v y) = H x +v H y.
  Hypothesis H_scale : forall a x, H (a *v x) = a *v H x.
  Hypothesis H_symmetric : forall x y, ⟨H x, y⟩ = ⟨x, H y⟩.

  (** Row 50: for a symmetric H and h > 0, A = 1 - hH contracts if and only if H is positive
      definite and h < 2/lambda_max: m |x|^2 <= <Hx, x> <= M |x|^2 with m > 0 and h < 2/M. *)
  Theorem linearized_step_contracts_iff : 0 < h ->
    ((exists k, 0 <= k < 1 /\ forall x, ‖A h H x‖ <= k * ‖x‖) <->
     (exists m M, 0 < m <= M /\ h < 2 / M /\ forall x, m * ⟨x, x⟩ <= ⟨H x, x⟩ <= M * ⟨x, x⟩)).
  Proof.
    intros Hh. split.
    - intros (k & Hk & Hc). exists ((1 - k) / h), ((1 + k) / h).
      assert (Hi : 0 < / h) by (apply Rinv_0_lt_compat; exact Hh).
      split; [| split].
      + unfold Rdiv. split; [nra | apply Rmult_le_compat_r; lra].
      + apply (Rmult_lt_reg_r ((1 + k) / h)); [unfold Rdiv; nra |].
        replace (2 / ((1 + k) / h) * ((1 + k) / h)) with 2 by (field; lra).
        replace (h * ((1 + k) / h)) with (1 + k) by (field; lra). lra.
      + intros x. pose proof (Hc x) as Hx. pose proof (norm_nonneg x).
        assert (E1 : ⟨A h H x, x⟩ = ⟨x, x⟩ - h * ⟨H x, x⟩)
          by (unfold A; autorewrite with inner; ring).
        pose proof (cauchy_schwarz (A h H x) x) as C1.
        pose proof (cauchy_schwarz ((-1) *v A h H x) x) as C2.
        rewrite inner_scale_l, norm_scale, Rabs_left in C2 by lra. rewrite E1 in C1, C2.
        pose proof (norm_sq x) as Ns.
        assert (Hb : ‖A h H x‖ * ‖x‖ <= k * ⟨x, x⟩) by (rewrite <- Ns; nra).
        assert (Es : forall c, c / h * ⟨x, x⟩ = / h * (c * ⟨x, x⟩)) by (intros; unfold Rdiv; ring).
        assert (Eh : ⟨H x, x⟩ = / h * (h * ⟨H x, x⟩)) by (field; lra).
        rewrite !Es, Eh. split; apply Rmult_le_compat_l; lra.
    - intros (m & M & Hm & Hh2 & Hr). exists (sharp_factor m M h).
      split; [split |].
      + unfold sharp_factor. eapply Rle_trans; [apply Rabs_pos | apply Rmax_l].
      + apply sharp_factor_contracts_iff; [exact Hm | lra].
      + intros x. apply sharp_factor_for_symmetric_operators; auto. lra.
  Qed.

  (** Eigenvectors e_0, ..., e_{n-1} of H, orthonormal and complete (Parseval's identity), with the
      eigenvalues lambda_i: a symmetric matrix has them by the spectral theorem. *)
  Variables (n : nat) (e : nat -> E) (lambda : nat -> R).
  Hypothesis e_eigen : forall i, (i < n)%nat -> H (e i) = lambda i *v e i.
  Hypothesis e_unit : forall i, (i < n)%nat -> ⟨e i, e i⟩ = 1.
  Hypothesis e_complete : forall x, ⟨x, x⟩ = Rsum n (fun i => ⟨x, e i⟩ * ⟨x, e i⟩).

  Lemma A_on_eigenvector : forall i x, (i < n)%nat -> ⟨A h H x, e i⟩ = (1 - h * lambda i) * ⟨x, e i⟩.
  Proof.
    intros i x Hi. unfold A. autorewrite with inner. rewrite H_symmetric, e_eigen by exact Hi.
    autorewrite with inner. ring.
  Qed.

  (** Rows 7 and 50: |A x| <= q |x| for all x if and only if |1 - h lambda_i| <= q for all i, so the
      norm of A is max_i |1 - h lambda_i|. *)
  Theorem norm_by_eigenvalues : forall q, 0 <= q ->
    ((forall x, ‖A h H x‖ <= q * ‖x‖) <-> (forall i, (i < n)%nat -> Rabs (1 - h * lambda i) <= q)).
  Proof.
    intros q Hq. split.
    - intros Hc i Hi. specialize (Hc (e i)).
      assert (E1 : A h H (e i) = (1 - h * lambda i) *v e i)
        by (unfold A; rewrite e_eigen by exact Hi; vec).
      assert (E2 : ‖e i‖ = 1) by (unfold norm; rewrite e_unit by exact Hi; apply sqrt_1).
      rewrite E1, norm_scale, E2 in Hc. lra.
    - intros Hl x. apply norm_le_of_sq; [apply Rmult_le_pos; [exact Hq | apply norm_nonneg] |].
      replace (q * ‖x‖ * (q * ‖x‖)) with (q * q * (‖x‖ * ‖x‖)) by ring.
      rewrite norm_sq, (e_complete x), (e_complete (A h H x)), <- Rsum_scale. apply Rsum_le. intros i Hi.
      rewrite A_on_eigenvector by exact Hi.
      assert (Hs : (1 - h * lambda i) * (1 - h * lambda i) <= q * q).
      { fold (Rsqr (1 - h * lambda i)) (Rsqr q). apply Rsqr_le_abs_1.
        rewrite (Rabs_pos_eq q) by exact Hq. apply Hl. exact Hi. }
      pose proof (Rle_0_sqr ⟨x, e i⟩). unfold Rsqr in *. nra.
  Qed.

  (** Rows 8 and 50: A contracts if and only if 0 < h lambda_i < 2 for every i. *)
  Theorem contracts_iff_eigenvalues :
    (exists q, 0 <= q < 1 /\ forall x, ‖A h H x‖ <= q * ‖x‖) <->
    (forall i, (i < n)%nat -> 0 < h * lambda i < 2).
  Proof.
    split.
    - intros (q & Hq & Hc) i Hi. pose proof (proj1 (norm_by_eigenvalues q (proj1 Hq)) Hc i Hi) as Ha.
      pose proof (Rle_abs (1 - h * lambda i)). pose proof (Rle_abs (- (1 - h * lambda i))) as Hn.
      rewrite Rabs_Ropp in Hn. lra.
    - intros Hl.
      assert (Hq : exists q, 0 <= q < 1 /\ forall i, (i < n)%nat -> Rabs (1 - h * lambda i) <= q).
      { clear e_eigen e_unit e_complete. induction n as [| m IH].
        - exists 0. split; [lra |]. intros i Hi. lia.
        - destruct IH as (q & Hq & Hb); [intros i Hi; apply Hl; lia |].
          pose proof (Hl m ltac:(lia)) as Hlm.
          assert (Rabs (1 - h * lambda m) < 1) by (apply Rabs_def1; lra).
          exists (Rmax q (Rabs (1 - h * lambda m))). split.
          + split; [eapply Rle_trans; [apply Hq | apply Rmax_l] | apply Rmax_lub_lt; lra].
          + intros i Hi. destruct (Nat.eq_dec i m) as [-> | Hne]; [apply Rmax_r |].
            eapply Rle_trans; [apply Hb; lia | apply Rmax_l]. }
      destruct Hq as (q & Hq & Hb). exists q. split; [exact Hq |].
      apply norm_by_eigenvalues; [lra | exact Hb].
  Qed.
End Contraction.

(** Row 26: a Hessian that is not injective, such as one of rank below d: no constant below 1 serves for
    1 - hH, whatever h. *)
Theorem singular_hessian_never_contracts : forall {E : InnerProductSpace} h (H : E -> E) v q,
  H v = zero -> v <> zero -> (forall x, ‖A h H x‖ <= q * ‖x‖) -> 1 <= q.
Proof.
  intros E h H v q Hv Hne Hq. specialize (Hq v). unfold A in Hq. rewrite Hv in Hq.
  replace (v -v h *v zero) with v in Hq by vec.
  destruct (Req_dec (‖v‖) 0) as [Z | Z]; [apply norm_zero_eq in Z; contradiction |].
  pose proof (norm_nonneg v). apply (Rmult_le_reg_r (‖v‖)); lra.
Qed.
