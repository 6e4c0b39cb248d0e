(** Appendix C: compositions of T_i = 1 + h V_i to second order in h.

    Lemma C.1 and Theorem C.2 with an explicit remainder, in any real inner-product space (so in
    R^d). What is asked of the fields is "expandable"; expandable_fields.v shows which ones are. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** ** Sums over pairs u < v *)
Section PairSums.
  Context {E : InnerProductSpace}.
  Implicit Types (f : nat -> nat -> E) (x : nat -> E).

  (** sum over 0 <= u < v < n of f u v. *)
  Definition pair_sum (n : nat) f : E := vsum n (fun v => vsum v (fun u => f u v)).

  Lemma pair_sum_S : forall n f, pair_sum (S n) f = pair_sum n f +v vsum n (fun u => f u n).
  Proof. reflexivity. Qed.

  Lemma pair_sum_ext : forall n f g, (forall u v, (u < v < n)%nat -> f u v = g u v) ->
    pair_sum n f = pair_sum n g.
  Proof.
    intros n f g H. apply vsum_ext. intros v Hv. apply vsum_ext. intros u Hu. apply H. lia.
  Qed.

  Lemma vsum_add : forall n x y, vsum n (fun i => x i +v y i) = vsum n x +v vsum n y.
  Proof. induction n; intros; simpl; [vec | rewrite IHn; vec]. Qed.

  Lemma vsum_sub : forall n x y, vsum n (fun i => x i -v y i) = vsum n x -v vsum n y.
  Proof. induction n; intros; simpl; [vec | rewrite IHn; vec]. Qed.

  (** The pairs with u = 0 first. *)
  Lemma pair_sum_first : forall n f,
    pair_sum (S n) f = vsum n (fun v => f 0%nat (S v)) +v pair_sum n (fun u v => f (S u) (S v)).
  Proof.
    intros n f. unfold pair_sum. rewrite vsum_first. simpl vsum at 1.
    rewrite (vsum_ext n (fun i => vsum (S i) (fun u => f u (S i)))
               (fun v => f 0%nat (S v) +v vsum v (fun u => f (S u) (S v))))
      by (intros; apply vsum_first).
    rewrite vsum_add. vec.
  Qed.

  Lemma vsum_rev : forall n x, vsum n (fun i => x (n - 1 - i)%nat) = vsum n x.
  Proof.
    induction n; intros x; [reflexivity |]. rewrite vsum_first.
    rewrite (vsum_ext n (fun i => x (S n - 1 - S i)%nat) (fun i => x (n - 1 - i)%nat))
      by (intros i Hi; f_equal; lia).
    rewrite IHn. simpl. replace (n - 0 - 0)%nat with n by lia. vec.
  Qed.

  (** Reversing the order of the word swaps the two indices of a pair. *)
  Lemma pair_sum_rev : forall n f,
    pair_sum n (fun u v => f (n - 1 - v)%nat (n - 1 - u)%nat) = pair_sum n f.
  Proof.
    induction n; intros f; [reflexivity |]. rewrite pair_sum_first.
    rewrite (pair_sum_ext n _ (fun u v => f (n - 1 - v)%nat (n - 1 - u)%nat))
      by (intros u v Huv; f_equal; lia).
    rewrite IHn.
    rewrite (vsum_ext n _ (fun v => f (n - 1 - v)%nat n)) by (intros v Hv; f_equal; lia).
    rewrite (vsum_rev n (fun u => f u n)). unfold pair_sum at 2. simpl. fold (pair_sum n f). vec.
  Qed.
End PairSums.

(** ** The expansion *)

(** One step theta + h V(theta), and the forward order as the word read backwards. *)
Definition euler_step {E : InnerProductSpace} (h : R) (V : E -> E) (x : E) : E := x +v h *v V x.

Lemma forward_as_reversed_backward : forall {A : Type} (T : nat -> A -> A) n x,
  forward T n x = backward (fun i => T (n + 1 - i)%nat) n x.
Proof.
  induction n; intros x; [reflexivity |]. simpl forward. rewrite IHn. unfold backward.
  simpl segment. replace (n + 1 - 0)%nat with (S n) by lia. f_equal.
  assert (H : forall m a b (T T' : nat -> A -> A) x,
    (forall i, T (a + i)%nat = T' (b + i)%nat) -> segment T a m x = segment T' b m x).
  { clear. induction m; intros a b T T' x HT; simpl; [reflexivity |].
    pose proof (HT 1%nat) as E. rewrite !Nat.add_1_r in E. rewrite E. f_equal.
    apply IHm. intros i. specialize (HT (S i)). rewrite <- !plus_n_Sm in HT. exact HT. }
  apply H. intros i. replace (n + 1 - (0 + i))%nat with (S n + 1 - (1 + i))%nat by lia. reflexivity.
Qed.

(** (n choose 3) L^2 G + (n-1) n (2n-1)/12 M G^2, the constant of the remainder. *)
Definition remainder_constant (G L M : R) (n : nat) : R :=
  let N := INR n in
  N * (N - 1) * (N - 2) / 6 * (L * L * G) + (N - 1) * N * (2 * N - 1) / 12 * (M * (G * G)).

Section Expansion.
  Context {E : InnerProductSpace}.
  Variables (h : R) (theta : E) (G L M radius : R).
  Hypothesis h_nonneg : 0 <= h.
  Hypothesis G_nonneg : 0 <= G.
  Hypothesis L_nonneg : 0 <= L.
  Hypothesis M_nonneg : 0 <= M.

  (** What is asked of a field V with derivative DV at theta, on the ball B(theta, radius). *)
  Definition expandable (V DV : E -> E) : Prop :=
    (forall x y, DV (x +v y) = DV x +v DV y) /\ (forall a x, DV (a *v x) = a *v DV x) /\
    (forall w, ‖DV w‖ <= L * ‖w‖) /\
    (forall x, ‖x -v theta‖ <= radius ->
       ‖V x‖ <= G /\ ‖V x -v V theta‖ <= L * ‖x -v theta‖ /\
       ‖V x -v V theta -v DV (x -v theta)‖ <= M / 2 * (‖x -v theta‖ * ‖x -v theta‖)).

  Variables (V DV : nat -> E -> E).
  Hypothesis V_expandable : forall i, expandable (V i) (DV i).

  Let T (i : nat) : E -> E := euler_step h (V i).

  (** V_{a+1}(theta) + ... + V_{a+n}(theta). *)
  Let first_order (a n : nat) : E := vsum n (fun l => V (S (a + l)) theta).

  Lemma first_order_succ : forall a n,
    first_order a (S n) = V (S a) theta +v first_order (S a) n.
  Proof.
    intros a n. unfold first_order. rewrite vsum_first. f_equal.
    - rewrite Nat.add_0_r. reflexivity.
    - apply vsum_ext. intros i _. do 2 f_equal. lia.
  Qed.

  (** sum_{u < v} V_u'(theta) V_v(theta), over a+1 <= u < v <= a+n. *)
  Let second_order (a n : nat) : E :=
    pair_sum n (fun u v => DV (S (a + u)) (V (S (a + v)) theta)).

  Lemma derivative_vsum : forall i n (x : nat -> E), DV i (vsum n x) = vsum n (fun j => DV i (x j)).
  Proof.
    intros i n x. destruct (V_expandable i) as (Hadd & Hscale & _).
    induction n; simpl; [| rewrite Hadd, IHn; reflexivity].
    replace (zero : E) with (0 *v (zero : E)) at 1 by vec. rewrite Hscale. vec.
  Qed.

  Lemma second_order_succ : forall a n,
    second_order a (S n) = second_order (S a) n +v DV (S a) (first_order (S a) n).
  Proof.
    intros a n. unfold second_order. rewrite pair_sum_first.
    unfold first_order. rewrite derivative_vsum.
    rewrite (vsum_ext n _ (fun l => DV (S a) (V (S (S a + l)) theta))).
    2: { intros v _. rewrite Nat.add_0_r. do 3 f_equal. lia. }
    rewrite (pair_sum_ext n _ (fun u v => DV (S (S a + u)) (V (S (S a + v)) theta))).
    2: { intros u v _. f_equal; [f_equal; lia |]. do 2 f_equal. lia. }
    vec.
  Qed.

  (** The three bounds, by induction from the innermost map outwards. *)
  Lemma expansion_bounds : forall n a, INR n * (h * G) <= radius ->
    ‖segment T a n theta -v theta‖ <= INR n * (h * G) /\
    ‖segment T a n theta -v theta -v h *v first_order a n‖
      <= INR n * (INR n - 1) / 2 * (h * h * (L * G)) /\
    ‖segment T a n theta -v theta -v h *v first_order a n -v (h * h) *v second_order a n‖
      <= h * h * h * remainder_constant G L M n.
  Proof.
    induction n; intros a Hr.
    - unfold first_order, second_order, pair_sum, remainder_constant. simpl.
      replace (theta -v theta) with (zero : E) by vec.
      replace (zero -v h *v zero) with (zero : E) by vec.
      replace (zero -v (h * h) *v zero) with (zero : E) by vec.
      rewrite norm_zero. repeat split; lra.
    - rewrite S_INR in Hr. pose proof (pos_INR n) as HN.
      assert (HhG : 0 <= h * G) by (apply Rmult_le_pos; assumption).
      destruct (IHn (S a) ltac:(lra)) as (B0 & B1 & B2).
      set (X := segment T (S a) n theta) in *.
      destruct (V_expandable (S a)) as (Hadd & Hscale & HL & Hball).
      destruct (Hball X ltac:(lra)) as (C0 & C1 & C2).
      change (segment T a (S n) theta) with (X +v h *v V (S a) X).
      rewrite first_order_succ, second_order_succ.
      set (F1 := first_order (S a) n) in *. set (F2 := second_order (S a) n) in *.
      set (W := V (S a)) in *. set (DW := DV (S a)) in *.
      assert (C1' : ‖W X -v W theta‖ <= L * (INR n * (h * G))).
      { eapply Rle_trans; [exact C1 |]. apply Rmult_le_compat_l; assumption. }
      assert (C2' : ‖W X -v W theta -v DW (X -v theta)‖
                    <= M / 2 * ((INR n * (h * G)) * (INR n * (h * G)))).
      { eapply Rle_trans; [exact C2 |]. apply Rmult_le_compat_l; [lra |].
        apply Rmult_le_compat; try assumption; apply norm_nonneg. }
      assert (C3 : ‖DW (X -v theta -v h *v F1)‖
                   <= L * (INR n * (INR n - 1) / 2 * (h * h * (L * G)))).
      { eapply Rle_trans; [apply HL |]. apply Rmult_le_compat_l; assumption. }
      rewrite S_INR. split; [| split].
      + replace (X +v h *v W X -v theta) with ((X -v theta) +v h *v W X) by vec.
        eapply Rle_trans; [apply norm_triangle |]. rewrite norm_scale, (Rabs_pos_eq h) by assumption.
        assert (h * ‖W X‖ <= h * G) by (apply Rmult_le_compat_l; assumption). lra.
      + replace (X +v h *v W X -v theta -v h *v (W theta +v F1))
          with ((X -v theta -v h *v F1) +v h *v (W X -v W theta)) by vec.
        eapply Rle_trans; [apply norm_triangle |]. rewrite norm_scale, (Rabs_pos_eq h) by assumption.
        assert (h * ‖W X -v W theta‖ <= h * (L * (INR n * (h * G))))
          by (apply Rmult_le_compat_l; assumption). lra.
      + assert (Elin : DW (X -v theta -v h *v F1) = DW (X -v theta) -v h *v DW F1).
        { unfold sub. rewrite !Hadd, !Hscale. vec. }
        rewrite Elin in C3.
        replace (X +v h *v W X -v theta -v h *v (W theta +v F1) -v (h * h) *v (F2 +v DW F1))
          with ((X -v theta -v h *v F1 -v (h * h) *v F2)
                +v h *v (W X -v W theta -v DW (X -v theta)) +v h *v (DW (X -v theta) -v h *v DW F1))
          by vec.
        eapply Rle_trans; [apply norm_triangle |].
        eapply Rle_trans; [apply Rplus_le_compat_r; apply norm_triangle |].
        rewrite !norm_scale, (Rabs_pos_eq h) by assumption.
        apply (Rmult_le_compat_l h) in C2'; [| assumption].
        apply (Rmult_le_compat_l h) in C3; [| assumption].
        unfold remainder_constant in *. rewrite S_INR. cbv zeta in *.
        eapply Rle_trans; [apply Rplus_le_compat; [apply Rplus_le_compat |]; eassumption |].
        right. field.
  Qed.

  (** Lemma C.1 (row 56): for a word T_1 ... T_n (position 1 outermost) and h n G <= radius,
      |T_1...T_n theta - (theta + h sum_l V_l + h^2 sum_{u<v} V_u' V_v)|
        <= h^3 ((n choose 3) L^2 G + (n-1) n (2n-1)/12 M G^2). *)
  Theorem composition_expansion : forall n, INR n * (h * G) <= radius ->
    ‖backward T n theta
       -v (theta +v h *v vsum n (fun l => V (S l) theta)
           +v (h * h) *v pair_sum n (fun u v => DV (S u) (V (S v) theta)))‖
      <= h * h * h * remainder_constant G L M n.
  Proof.
    intros n Hr. destruct (expansion_bounds n 0 Hr) as (_ & _ & H).
    unfold first_order, second_order in H. simpl in H.
    match goal with |- ‖?a -v (?b +v ?c +v ?d)‖ <= _ =>
      replace (a -v (b +v c +v d)) with (a -v b -v c -v d) by vec end.
    exact H.
  Qed.
End Expansion.

Section ForwardBackward.
  Context {E : InnerProductSpace}.
  Variables (h : R) (theta : E) (G L M radius : R) (V DV : nat -> E -> E).
  Hypothesis h_nonneg : 0 <= h.
  Hypothesis G_nonneg : 0 <= G.
  Hypothesis L_nonneg : 0 <= L.
  Hypothesis M_nonneg : 0 <= M.
  Hypothesis V_expandable : forall i, expandable theta G L M radius (V i) (DV i).

  (** [V_i, V_j](theta) = V_i' V_j - V_j' V_i (minus the bracket of differential geometry, row 57). *)
  Definition bracket (i j : nat) : E := DV i (V j theta) -v DV j (V i theta).

  Let T (i : nat) : E -> E := euler_step h (V i).

  (** Lemma C.1 for the forward iterate: the pairs appear with their indices swapped. *)
  Theorem forward_expansion : forall n, INR n * (h * G) <= radius ->
    ‖forward T n theta
       -v (theta +v h *v vsum n (fun l => V (S l) theta)
           +v (h * h) *v pair_sum n (fun u v => DV (S v) (V (S u) theta)))‖
      <= h * h * h * remainder_constant G L M n.
  Proof.
    intros n Hr. rewrite forward_as_reversed_backward.
    pose proof (composition_expansion h theta G L M radius h_nonneg G_nonneg L_nonneg M_nonneg
      (fun i => V (n + 1 - i)%nat) (fun i => DV (n + 1 - i)%nat)
      (fun i => V_expandable (n + 1 - i)) n Hr) as H. cbv beta in H.
    rewrite (vsum_ext n (fun l => V (n + 1 - S l)%nat theta)
               (fun l => (fun m => V (S m) theta) (n - 1 - l)%nat)) in H
      by (intros l Hl; do 2 f_equal; lia).
    rewrite (vsum_rev n (fun m => V (S m) theta)) in H.
    rewrite (pair_sum_ext n (fun u v => DV (n + 1 - S u)%nat (V (n + 1 - S v)%nat theta))
               (fun u v => (fun p q => DV (S q) (V (S p) theta)) (n - 1 - v)%nat (n - 1 - u)%nat)) in H.
    2: { intros u v Huv. cbv beta. replace (n + 1 - S u)%nat with (S (n - 1 - u)) by lia.
         replace (n + 1 - S v)%nat with (S (n - 1 - v)) by lia. reflexivity. }
    rewrite (pair_sum_rev n (fun p q => DV (S q) (V (S p) theta))) in H.
    exact H.
  Qed.

  (** Theorem C.2 (row 57): |T_1...T_n theta - T_n...T_1 theta - h^2 sum_{i<j} [V_i, V_j](theta)|
      <= 2 h^3 ((n choose 3) L^2 G + (n-1) n (2n-1)/12 M G^2). *)
  Theorem backward_minus_forward : forall n, INR n * (h * G) <= radius ->
    ‖backward T n theta -v forward T n theta
       -v (h * h) *v pair_sum n (fun i j => bracket (S i) (S j))‖
      <= 2 * (h * h * h * remainder_constant G L M n).
  Proof.
    intros n Hr.
    pose proof (composition_expansion h theta G L M radius h_nonneg G_nonneg L_nonneg M_nonneg
      V DV V_expandable n Hr) as HB.
    pose proof (forward_expansion n Hr) as HF. fold T in HB.
    assert (Hsub : pair_sum n (fun i j => bracket (S i) (S j))
                   = pair_sum n (fun u v => DV (S u) (V (S v) theta))
                     -v pair_sum n (fun u v => DV (S v) (V (S u) theta))).
    { unfold pair_sum, bracket. rewrite <- vsum_sub. apply vsum_ext. intros v _. apply vsum_sub. }
    rewrite Hsub.
    set (S1 := vsum n (fun l => V (S l) theta)) in *.
    set (P1 := pair_sum n (fun u v => DV (S u) (V (S v) theta))) in *.
    set (P2 := pair_sum n (fun u v => DV (S v) (V (S u) theta))) in *.
    replace (backward T n theta -v forward T n theta -v (h * h) *v (P1 -v P2))
      with ((backward T n theta -v (theta +v h *v S1 +v (h * h) *v P1))
            -v (forward T n theta -v (theta +v h *v S1 +v (h * h) *v P2))) by vec.
    eapply Rle_trans; [apply norm_sub_le |]. lra.
  Qed.
End ForwardBackward.

(** Appendix D.1 (row 62): c small batches with h' = h/c, the first one innermost: the term in h'^2 is
    sum_{i>j} V_i'V_j, and the remainder is at most h^3 (L^2 G + M G^2)/6 for every c. *)
Theorem small_batches_expansion :
  forall {E : InnerProductSpace} h (theta : E) G L M radius V DV c,
  0 <= h -> 0 <= G -> 0 <= L -> 0 <= M -> (1 <= c)%nat ->
  (forall i, expandable theta G L M radius (V i) (DV i)) -> h * G <= radius ->
  let h' := h / INR c in
  ‖forward (fun i => euler_step h' (V i)) c theta
     -v (theta +v h' *v vsum c (fun l => V (S l) theta)
         +v (h' * h') *v pair_sum c (fun u v => DV (S v) (V (S u) theta)))‖
    <= h * h * h * ((L * L * G + M * (G * G)) / 6).
Proof.
  intros E h theta G L M radius V DV c Hh HG HL HM Hc HV Hr h'.
  assert (Hcpos : 1 <= INR c) by (apply (le_INR 1); exact Hc).
  assert (Hh' : 0 <= h') by (apply Rmult_le_pos; [exact Hh | apply Rlt_le, Rinv_0_lt_compat; lra]).
  assert (Ech : INR c * h' = h) by (unfold h'; field; lra).
  eapply Rle_trans.
  - apply (forward_expansion h' theta G L M radius V DV Hh' HG HL HM HV).
    rewrite <- Rmult_assoc, Ech. exact Hr.
  - rewrite <- Ech. unfold remainder_constant. set (N := INR c) in *.
    assert (H3 : 0 <= h' * h' * h') by (apply Rmult_le_pos; [apply Rmult_le_pos |]; assumption).
    replace (N * h' * (N * h') * (N * h') * ((L * L * G + M * (G * G)) / 6))
      with (h' * h' * h' * (N * N * N / 6 * (L * L * G) + N * N * N / 6 * (M * (G * G)))) by field.
    apply Rmult_le_compat_l; [exact H3 |].
    assert (0 <= L * L * G) by (repeat apply Rmult_le_pos; assumption).
    assert (0 <= M * (G * G)) by (repeat apply Rmult_le_pos; assumption).
    apply Rplus_le_compat; apply Rmult_le_compat_r; try assumption; nra.
Qed.
