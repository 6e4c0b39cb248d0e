(** Definition C.3 and Corollary C.4: the second-order correction C_n and its recursion.

    Pure algebra, in any real inner-product space; gradients and Hessians at theta_0 are given as
    vectors grad i and linear maps hess i. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces
  strongly_convex_step composition_expansion quadratic_sgd.
Local Open Scope R_scope.
Local Open Scope vec_scope.

Section Correction.
  Context {E : InnerProductSpace} (grad : nat -> E) (hess : nat -> E -> E).
  Hypothesis hess_add : forall i x y, hess i (x +v y) = hess i x +v hess i y.
  Hypothesis hess_scale : forall i a x, hess i (a *v x) = a *v hess i x.

  Lemma hess_vsum : forall i n (x : nat -> E), hess i (vsum n x) = vsum n (fun j => hess i (x j)).
  Proof.
    induction n; intros x; simpl; [| rewrite hess_add, IHn; reflexivity].
    replace (zero : E) with (0 *v (zero : E)) at 1 by vec. rewrite hess_scale. vec.
  Qed.

  (** C_n = sum over 1 <= i < j <= n of H_i g_j - H_j g_i. *)
  Definition correction (n : nat) : E :=
    pair_sum n (fun i j => hess (S i) (grad (S j)) -v hess (S j) (grad (S i))).

  Lemma correction_S : forall n, correction (S n)
    = correction n +v vsum n (fun i => hess (S i) (grad (S n))) -v hess (S n) (vsum n (fun i => grad (S i))).
  Proof.
    intros n. unfold correction. rewrite pair_sum_S, vsum_sub, hess_vsum. vec.
  Qed.

  (** Corollary C.4 (rows 59 and 60): if g_n, H_n, C_n follow the printed recursion from n = 2 on,
        g_n = g_{n-1} + grad L_{n-1},  H_n = H_{n-1} + hess L_{n-1},
        C_n = C_{n-1} + H_n grad L_n - hess L_n g_n,
      with g_1 = 0, H_1 = 0, C_1 = 0, then C_n is the correction of Definition C.3 for all n >= 1. *)
  Theorem correction_recursion : forall (g : nat -> E) (Hsum : nat -> E -> E) (C : nat -> E),
    g 1%nat = zero -> (forall x, Hsum 1%nat x = zero) -> C 1%nat = zero ->
    (forall n, (2 <= n)%nat -> g n = g (n - 1)%nat +v grad (n - 1)%nat) ->
    (forall n x, (2 <= n)%nat -> Hsum n x = Hsum (n - 1)%nat x +v hess (n - 1)%nat x) ->
    (forall n, (2 <= n)%nat -> C n = C (n - 1)%nat +v Hsum n (grad n) -v hess n (g n)) ->
    forall n, (1 <= n)%nat -> C n = correction n.
  Proof.
    intros g Hsum C g1 H1 C1 Hg HH HC.
    assert (Eg : forall n, g (S n) = vsum n (fun i => grad (S i))).
    { induction n; [exact g1 |]. rewrite Hg by lia. replace (S (S n) - 1)%nat with (S n) by lia.
      rewrite IHn. reflexivity. }
    assert (EH : forall n x, Hsum (S n) x = vsum n (fun i => hess (S i) x)).
    { induction n; intros x; [apply H1 |]. rewrite HH by lia.
      replace (S (S n) - 1)%nat with (S n) by lia. rewrite IHn. reflexivity. }
    intros n Hn. destruct n as [| n]; [lia |]. clear Hn.
    induction n; [rewrite C1; unfold correction, pair_sum; simpl; vec |].
    rewrite HC by lia. replace (S (S n) - 1)%nat with (S n) by lia.
    rewrite IHn, EH, Eg, (correction_S (S n)). reflexivity.
  Qed.

  (** Row 61: for one final n, C_n = sum_i H_i w_i with w_i = sum_{j > i} g_j - sum_{j < i} g_j:
      one Hessian-vector product a step instead of the running matrix H_n. *)
  Definition weights (n i : nat) : E :=
    vsum n (fun j => grad (S j)) -v vsum i (fun j => grad (S j)) -v grad (S i)
    -v vsum i (fun j => grad (S j)).

  Theorem correction_two_passes : forall n,
    correction n = vsum n (fun i => hess (S i) (weights n i)).
  Proof.
    induction n; [reflexivity |].
    rewrite (vsum_ext (S n) _ (fun i => hess (S i) (weights n i) +v hess (S i) (grad (S n)))).
    2: { intros i _. rewrite <- hess_add. f_equal. unfold weights. simpl vsum. vec. }
    assert (Ew : weights n n = (-1) *v (vsum n (fun j => grad (S j)) +v grad (S n)))
      by (unfold weights; vec).
    rewrite vsum_add, correction_S, IHn.
    change (vsum (S n) ?f) with (vsum n f +v f n). cbv beta.
    rewrite Ew, hess_scale, hess_add. vec.
  Qed.
End Correction.

(** Definition C.3 and (8) (row 58): with C_n from the recursion, the approximate backward iterate
    theta_n + h^2 C_n is within 2 h^3 times the constant of Lemma C.1 of T_1...T_n theta_0, for
    gradients bounded by G, with L-bounded and M-Lipschitz derivative on the ball. *)
Theorem approximate_backward_iterate : forall {E : InnerProductSpace} h (theta : E) G L M radius
  (grad : nat -> E -> E) (hess : nat -> E -> E),
  0 <= h -> 0 <= G -> 0 <= L -> 0 <= M ->
  (forall i, expandable theta G L M radius (grad i) (hess i)) ->
  forall n, INR n * (h * G) <= radius ->
  let T := fun i => step h (grad i) in
  ‖(forward T n theta +v (h * h) *v correction (fun i => grad i theta) hess n) -v backward T n theta‖
    <= 2 * (h * h * h * remainder_constant G L M n).
Proof.
  intros E h theta G L M radius grad hess Hh HG HL HM Hexp n Hr T.
  set (V := fun i x => (-1) *v grad i x). set (DV := fun i x => (-1) *v hess i x).
  assert (HV : forall i, expandable theta G L M radius (V i) (DV i)).
  { intros i. destruct (Hexp i) as (Ha & Hs & Hn & Hb). unfold V, DV.
    assert (N : forall x : E, ‖(-1) *v x‖ = ‖x‖).
    { intros x. rewrite norm_scale, Rabs_left by lra. lra. }
    split; [intros; rewrite Ha; vec |]. split; [intros; rewrite Hs; vec |].
    split; [intros; rewrite N; apply Hn |].
    intros x Hx. destruct (Hb x Hx) as (B0 & B1 & B2). split; [rewrite N; exact B0 |]. split.
    - replace ((-1) *v grad i x -v (-1) *v grad i theta) with ((-1) *v (grad i x -v grad i theta)) by vec.
      rewrite N. exact B1.
    - replace ((-1) *v grad i x -v (-1) *v grad i theta -v (-1) *v hess i (x -v theta))
        with ((-1) *v (grad i x -v grad i theta -v hess i (x -v theta))) by vec.
      rewrite N. exact B2. }
  assert (Hscale : forall i a x, hess i (a *v x) = a *v hess i x) by (intros i; apply (Hexp i)).
  assert (Hseg : forall m a x, segment T a m x = segment (fun i => euler_step h (V i)) a m x).
  { induction m; intros a x; simpl; [reflexivity |]. rewrite IHm. unfold T, step, euler_step, V. vec. }
  assert (Hfwd : forall m x, forward T m x = forward (fun i => euler_step h (V i)) m x).
  { induction m; intros x; simpl; [reflexivity |]. rewrite IHm. unfold T, step, euler_step, V. vec. }
  pose proof (backward_minus_forward h theta G L M radius V DV Hh HG HL HM HV n Hr) as K.
  unfold backward in *. rewrite Hseg, Hfwd, norm_sub_sym.
  assert (Ec : pair_sum n (fun i j => bracket theta V DV (S i) (S j))
               = correction (fun i => grad i theta) hess n).
  { apply pair_sum_ext. intros i j _. unfold bracket, DV, V. rewrite !Hscale. vec. }
  rewrite Ec in K. eapply Rle_trans; [right | exact K]. f_equal. vec.
Qed.

(** Row 58: for the quadratic of Section 3.1 the correction is C_n = sum_{i=1}^n (n + 1 - 2i) eps_i
    (gradients theta - eps_i, Hessian 1), which grows with n while the iterates stay bounded. *)
Theorem quadratic_correction : forall (theta : R) (eps : nat -> R) n,
  correction (E := line) (fun i => theta - eps i) (fun _ x => x) n
  = Rsum n (fun i => (INR n - 1 - 2 * INR i) * eps (S i)).
Proof.
  assert (Hline : forall n f, vsum (E := line) n f = Rsum n f).
  { induction n; intros f; simpl; [reflexivity | rewrite IHn; reflexivity]. }
  intros theta eps n. unfold correction. induction n; [reflexivity |].
  rewrite pair_sum_S, IHn, Hline, Rsum_S.
  rewrite (Rsum_ext n (fun u => sub (E := line) _ _) (fun u => eps (S u) - eps (S n)))
    by (intros; unfold sub; simpl; ring).
  rewrite Rsum_minus, Rsum_const.
  rewrite (Rsum_ext n (fun i => (INR (S n) - 1 - 2 * INR i) * eps (S i))
             (fun i => (INR n - 1 - 2 * INR i) * eps (S i) + eps (S i)))
    by (intros; rewrite S_INR; ring).
  rewrite Rsum_plus, S_INR. simpl. ring.
Qed.
