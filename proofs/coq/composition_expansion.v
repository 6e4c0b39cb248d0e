(** Appendix C: compositions of T_i = 1 + h V_i to second order in h.

    Lemma C.1 and Theorem C.2 with an explicit remainder, in any real inner-product space (so in
    R^d), for fields with a Lipschitz derivative on a ball; C^2 fields of one variable are a case. *)

From Coq Require Import Reals Lra Lia.
From Coq Require Fin.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces
  strongly_convex_step.
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

(** ** Which fields are expandable *)

(** Row 56: V has the derivative DV x along every line at every x of the ball, bounded by L there,
    and DV is M-Lipschitz from the centre: this is C^{1,1}. *)
Definition lipschitz_derivative_on_ball {E : InnerProductSpace} (theta : E) (G L M radius : R)
  (V : E -> E) (DV : E -> E -> E) : Prop :=
  (forall x y, DV theta (x +v y) = DV theta x +v DV theta y) /\
  (forall a x, DV theta (a *v x) = a *v DV theta x) /\
  (forall w, ‖DV theta w‖ <= L * ‖w‖) /\
  (forall x, ‖x -v theta‖ <= radius ->
     ‖V x‖ <= G /\
     (forall u w, derivable_pt_lim (fun t => ⟨V (x +v t *v w), u⟩) 0 ⟨DV x w, u⟩) /\
     (forall w, ‖DV x w‖ <= L * ‖w‖) /\
     (forall w, ‖DV x w -v DV theta w‖ <= M * ‖x -v theta‖ * ‖w‖)).

Theorem lipschitz_derivative_expandable : forall {E : InnerProductSpace} (theta : E) G L M radius V DV,
  0 <= L -> 0 <= M -> lipschitz_derivative_on_ball theta G L M radius V DV ->
  expandable theta G L M radius V (DV theta).
Proof.
  intros E theta G L M radius V DV HL HM (Hadd & Hscale & HDL & Hball).
  split; [exact Hadd | split; [exact Hscale | split; [exact HDL |]]].
  intros x Hx. destruct (Hball x Hx) as (HG & _). split; [exact HG |].
  set (w := x -v theta) in *. pose proof (norm_nonneg w) as Hw.
  assert (Ex : x = theta +v 1 *v w) by (unfold w; vec).
  assert (E0 : theta = theta +v 0 *v w) by vec.
  (* on the segment from theta to x *)
  assert (Hseg : forall t, 0 <= t <= 1 -> ‖theta +v t *v w -v theta‖ = t * ‖w‖).
  { intros t Ht. replace (theta +v t *v w -v theta) with (t *v w) by vec.
    rewrite norm_scale, Rabs_pos_eq by lra. reflexivity. }
  assert (Hin : forall t, 0 <= t <= 1 -> ‖theta +v t *v w -v theta‖ <= radius).
  { intros t Ht. rewrite Hseg by assumption. nra. }
  assert (Hder : forall u t, 0 <= t <= 1 ->
    derivable_pt_lim (fun t => ⟨V (theta +v t *v w), u⟩) t ⟨DV (theta +v t *v w) w, u⟩).
  { intros u t Ht eps He.
    destruct (Hball _ (Hin t Ht)) as (_ & Hd & _). destruct (Hd u w eps He) as [delta HD].
    exists delta. intros e Hn Hlt. specialize (HD e Hn Hlt).
    replace (theta +v (t + e) *v w) with (theta +v t *v w +v (0 + e) *v w) by vec.
    replace (theta +v t *v w +v 0 *v w) with (theta +v t *v w) in HD by vec. exact HD. }
  split.
  - apply norm_le_of_inner; [apply Rmult_le_pos; assumption |]. intros u.
    pose proof (growth_bound (fun t => ⟨V (theta +v t *v w), u⟩)
      (fun t => ⟨DV (theta +v t *v w) w, u⟩) (L * ‖w‖ * ‖u‖) 0 (Hder u)) as H.
    cbv beta in H. rewrite <- Ex, <- E0 in H. rewrite inner_sub_l.
    enough (⟨V x, u⟩ - ⟨V theta, u⟩ <= L * ‖w‖ * ‖u‖ + 0 / 2) by lra. apply H. intros t Ht.
    destruct (Hball _ (Hin t ltac:(lra))) as (_ & _ & Hb & _).
    eapply Rle_trans; [apply cauchy_schwarz |]. pose proof (norm_nonneg u). specialize (Hb w). nra.
  - apply norm_le_of_inner; [apply Rmult_le_pos; nra |]. intros u.
    pose proof (growth_bound (fun t => ⟨V (theta +v t *v w), u⟩)
      (fun t => ⟨DV (theta +v t *v w) w, u⟩) ⟨DV theta w, u⟩ (M * (‖w‖ * ‖w‖) * ‖u‖) (Hder u)) as H.
    cbv beta in H. rewrite <- Ex, <- E0 in H. rewrite !inner_sub_l.
    enough (⟨V x, u⟩ - ⟨V theta, u⟩ <= ⟨DV theta w, u⟩ + M * (‖w‖ * ‖w‖) * ‖u‖ / 2) by lra.
    apply H. intros t Ht.
    destruct (Hball _ (Hin t ltac:(lra))) as (_ & _ & _ & Hb).
    specialize (Hb w). rewrite Hseg in Hb by lra.
    pose proof (cauchy_schwarz (DV (theta +v t *v w) w -v DV theta w) u) as Hcs.
    rewrite inner_sub_l in Hcs. pose proof (norm_nonneg u). nra.
Qed.

(** C^2 functions of one variable: |V| <= G, |V'| <= L, |V''| <= M on the interval. *)
Theorem twice_differentiable_expandable : forall (theta G L M radius : R) (V V1 V2 : R -> R),
  0 <= radius -> 0 <= L -> 0 <= M ->
  (forall x, derivable_pt_lim V x (V1 x)) -> (forall x, derivable_pt_lim V1 x (V2 x)) ->
  (forall x, Rabs (x - theta) <= radius -> Rabs (V x) <= G /\ Rabs (V1 x) <= L /\ Rabs (V2 x) <= M) ->
  expandable (E := line) theta G L M radius V (fun w => V1 theta * w).
Proof.
  intros theta G L M radius V V1 V2 Hr HL HM HV HV1 Hb.
  assert (Hnorm : forall x : line, ‖x‖ = Rabs x).
  { intros x. unfold norm. simpl. apply sqrt_Rsqr_abs. }
  assert (Hnsub : forall x y : line, ‖x -v y‖ = Rabs (x - y)).
  { intros x y. rewrite Hnorm. f_equal. unfold sub. simpl. ring. }
  apply (lipschitz_derivative_expandable (E := line) theta G L M radius V (fun x w => V1 x * w) HL HM).
  split; [| split; [| split]]; cbv beta.
  - intros. simpl. ring.
  - intros. simpl. ring.
  - intros w. rewrite !Hnorm, Rabs_mult.
    destruct (Hb theta) as (_ & H & _); [rewrite Rminus_diag_eq, Rabs_R0 by reflexivity; exact Hr |].
    apply Rmult_le_compat_r; [apply Rabs_pos | exact H].
  - intros x Hx. rewrite Hnsub in Hx. destruct (Hb x Hx) as (H0 & H1 & _).
    split; [rewrite Hnorm; exact H0 |]. split; [| split].
    + intros u w.
      change (derivable_pt_lim (fun t => V (x + t * w) * u) 0 (V1 x * w * u)).
      replace (V1 x * w * u) with ((V1 x * w) * u + V (x + 0 * w) * 0) by ring.
      apply (derivable_pt_lim_mult (fun t => V (x + t * w)) (fun _ => u));
        [| apply derivable_pt_lim_const].
      apply (derivable_pt_lim_comp (fun t => x + t * w) V 0 w (V1 x)).
      * intros e He. exists (mkposreal 1 Rlt_0_1). intros t Ht _.
        replace ((x + (0 + t) * w - (x + 0 * w)) / t - w) with 0 by (field; exact Ht).
        rewrite Rabs_R0. lra.
      * cbv beta. rewrite Rmult_0_l, Rplus_0_r. apply HV.
    + intros w. rewrite !Hnorm, Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos | exact H1].
    + intros w. rewrite !Hnsub, Hnorm.
      replace (V1 x * w - V1 theta * w) with ((V1 x - V1 theta) * w) by ring. rewrite Rabs_mult.
      apply Rmult_le_compat_r; [apply Rabs_pos |].
      (* V' grows by at most M |x - theta| along the segment, upwards and downwards *)
      assert (Hgrow : forall s, s = 1 \/ s = -1 ->
                s * (V1 x - V1 theta) <= M * Rabs (x - theta)).
      { intros s Hs.
        pose proof (growth_bound (fun t => s * V1 (theta + t * (x - theta)))
          (fun t => s * (V2 (theta + t * (x - theta)) * (x - theta))) (M * Rabs (x - theta)) 0) as H.
        cbv beta in H. replace (theta + 1 * (x - theta)) with (x : R) in H by (simpl in x; ring).
        replace (theta + 0 * (x - theta)) with theta in H by ring.
        enough (s * V1 x - s * V1 theta <= M * Rabs (x - theta) + 0 / 2) by lra. apply H; clear H.
        - intros t _. apply (derivable_pt_lim_scal (fun t => V1 (theta + t * (x - theta)))).
          apply (derivable_pt_lim_comp (fun t => theta + t * (x - theta)) V1 t (x - theta)).
          + intros e He. exists (mkposreal 1 Rlt_0_1). intros r Hr' _.
            replace ((theta + (t + r) * (x - theta) - (theta + t * (x - theta))) / r - (x - theta))
              with 0 by (field; exact Hr').
            rewrite Rabs_R0. lra.
          + apply HV1.
        - intros t Ht. destruct (Hb (theta + t * (x - theta))) as (_ & _ & H2).
          { replace (theta + t * (x - theta) - theta) with (t * (x - theta)) by ring.
            rewrite Rabs_mult, (Rabs_pos_eq t) by lra. pose proof (Rabs_pos (x - theta)). nra. }
          eapply Rle_trans; [apply Rle_abs |].
          rewrite !Rabs_mult. replace (Rabs s) with 1.
          2: { destruct Hs as [-> | ->]; [rewrite Rabs_R1 | rewrite Rabs_left by lra]; lra. }
          pose proof (Rabs_pos (x - theta)). nra. }
      pose proof (Hgrow 1 (or_introl eq_refl)). pose proof (Hgrow (-1) (or_intror eq_refl)).
      apply Rabs_le. lra.
Qed.

(** Lemma C.1 and Theorem C.2 for C^2 functions of one variable. *)
Theorem composition_expansion_on_line :
  forall (theta G L M h : R) (V V1 V2 : nat -> R -> R) n, 0 <= h -> 0 <= G -> 0 <= L -> 0 <= M ->
  (forall i x, derivable_pt_lim (V i) x (V1 i x)) -> (forall i x, derivable_pt_lim (V1 i) x (V2 i x)) ->
  (forall i x, Rabs (x - theta) <= INR n * (h * G) ->
     Rabs (V i x) <= G /\ Rabs (V1 i x) <= L /\ Rabs (V2 i x) <= M) ->
  let T := fun i => euler_step (E := line) h (V i) in
  Rabs (backward T n theta
        - (theta + h * vsum (E := line) n (fun l => V (S l) theta)
           + h * h * pair_sum (E := line) n (fun u v => V1 (S u) theta * V (S v) theta)))
    <= h * h * h * remainder_constant G L M n /\
  Rabs (backward T n theta - forward T n theta
        - h * h * pair_sum (E := line) n (fun i j => V1 (S i) theta * V (S j) theta
                                                     - V1 (S j) theta * V (S i) theta))
    <= 2 * (h * h * h * remainder_constant G L M n).
Proof.
  intros theta G L M h V V1 V2 n Hh HG HL HM HV HV1 Hb T.
  assert (Hexp : forall i, expandable (E := line) theta G L M (INR n * (h * G)) (V i)
                             (fun w => V1 i theta * w)).
  { intros i. apply (twice_differentiable_expandable theta G L M _ (V i) (V1 i) (V2 i)); auto.
    apply Rmult_le_pos; [apply pos_INR | apply Rmult_le_pos; assumption]. }
  assert (Hnorm : forall x : line, ‖x‖ = Rabs x).
  { intros x. unfold norm. simpl. apply sqrt_Rsqr_abs. }
  split.
  - pose proof (composition_expansion (E := line) h theta G L M _ Hh HG HL HM V _ Hexp n
      (Rle_refl _)) as H. rewrite Hnorm in H.
    match goal with |- Rabs ?a <= _ => match type of H with Rabs ?b <= _ =>
      replace a with b; [exact H |] end end.
    unfold sub. simpl. unfold T. ring.
  - pose proof (backward_minus_forward (E := line) h theta G L M _ V _ Hh HG HL HM Hexp n
      (Rle_refl _)) as H. rewrite Hnorm in H.
    match goal with |- Rabs ?a <= _ => match type of H with Rabs ?b <= _ =>
      replace a with b; [exact H |] end end.
    rewrite (pair_sum_ext (E := line) n
      (fun i j => bracket (E := line) theta V (fun i w => V1 i theta * w) (S i) (S j))
      (fun i j => V1 (S i) theta * V (S j) theta - V1 (S j) theta * V (S i) theta)).
    + unfold sub. simpl. unfold T. ring.
    + intros u v _. unfold bracket, sub. simpl. ring.
Qed.

(** Lemma C.1 in R^d: fields whose coordinates have directional derivatives. *)
Theorem composition_expansion_in_Rd :
  forall d (theta : euclidean d) G L M h (V : nat -> euclidean d -> euclidean d)
    (DV : nat -> euclidean d -> euclidean d -> euclidean d) n,
  0 <= h -> 0 <= G -> 0 <= L -> 0 <= M ->
  (forall i x y, DV i theta (x +v y) = DV i theta x +v DV i theta y) ->
  (forall i a x, DV i theta (a *v x) = a *v DV i theta x) ->
  (forall i x, ‖x -v theta‖ <= INR n * (h * G) ->
     ‖V i x‖ <= G /\
     (forall w j, derivable_pt_lim (fun t => V i (x +v t *v w) j) 0 (DV i x w j)) /\
     (forall w, ‖DV i x w‖ <= L * ‖w‖) /\
     (forall w, ‖DV i x w -v DV i theta w‖ <= M * ‖x -v theta‖ * ‖w‖)) ->
  let T := fun i => euler_step h (V i) in
  ‖backward T n theta
     -v (theta +v h *v vsum n (fun l => V (S l) theta)
         +v (h * h) *v pair_sum n (fun u v => DV (S u) theta (V (S v) theta)))‖
    <= h * h * h * remainder_constant G L M n /\
  ‖backward T n theta -v forward T n theta
     -v (h * h) *v pair_sum n (fun i j => DV (S i) theta (V (S j) theta)
                                          -v DV (S j) theta (V (S i) theta))‖
    <= 2 * (h * h * h * remainder_constant G L M n).
Proof.
  intros d theta G L M h V DV n Hh HG HL HM Hadd Hscale Hb T.
  assert (H0 : ‖theta -v theta‖ <= INR n * (h * G)).
  { rewrite norm_sub_refl. apply Rmult_le_pos; [apply pos_INR | apply Rmult_le_pos; assumption]. }
  assert (Hexp : forall i, expandable theta G L M (INR n * (h * G)) (V i) (DV i theta)).
  { intros i. apply lipschitz_derivative_expandable; [assumption | assumption |].
    split; [apply Hadd | split; [apply Hscale | split; [apply (Hb i theta H0) |]]].
    intros x Hx. destruct (Hb i x Hx) as (B0 & B1 & B2 & B3). repeat split; try assumption.
    intros u w. specialize (B1 w).
    (* the inner product with u is a finite sum of coordinates *)
    change (derivable_pt_lim (fun t => sum_fin (fun j => V i (x +v t *v w) j * u j)) 0
              (sum_fin (fun j => DV i x w j * u j))).
    assert (Hsum : forall m (f : R -> coordinates m) (f' u : coordinates m),
      (forall j, derivable_pt_lim (fun t => f t j) 0 (f' j)) ->
      derivable_pt_lim (fun t => sum_fin (fun j => f t j * u j)) 0 (sum_fin (fun j => f' j * u j))).
    { clear. induction m; intros f f' u H; simpl; [apply derivable_pt_lim_const |].
      apply (derivable_pt_lim_plus (fun t => f t Fin.F1 * u Fin.F1)
               (fun t => sum_fin (fun j => f t (Fin.FS j) * u (Fin.FS j)))).
      - replace (f' Fin.F1 * u Fin.F1) with (f' Fin.F1 * u Fin.F1 + f 0 Fin.F1 * 0) by ring.
        apply (derivable_pt_lim_mult (fun t => f t Fin.F1) (fun _ => u Fin.F1));
          [apply H | apply derivable_pt_lim_const].
      - apply (IHm (fun t j => f t (Fin.FS j)) (fun j => f' (Fin.FS j)) (fun j => u (Fin.FS j))).
        intros j. apply H. }
    apply (Hsum d (fun t => V i (x +v t *v w))). exact B1. }
  split.
  - apply (composition_expansion h theta G L M _ Hh HG HL HM V (fun i => DV i theta) Hexp n (Rle_refl _)).
  - apply (backward_minus_forward h theta G L M _ V (fun i => DV i theta) Hh HG HL HM Hexp n (Rle_refl _)).
Qed.

(** Row 56: C^1 alone is not enough. With V_1 = |x|^{3/2} (C^1, V_1(0) = V_1'(0) = 0), V_2 = 1 and
    theta = 0 the remainder is exactly h^{5/2}, so no constant C bounds it by C h^3. *)
Theorem continuous_derivative_not_enough :
  let V1 := fun x : line => Rabs x * sqrt (Rabs x) in
  let V2 := fun _ : line => 1 in
  derivable_pt_lim V1 0 0 /\
  (forall h, 0 <= h ->
     euler_step h V1 (euler_step h V2 0) - (0 + h * (V1 0 + V2 0) + h * h * (0 * V2 0))
     = h * h * sqrt h) /\
  (forall C, exists h, 0 < h <= 1 /\ C * (h * h * h) < h * h * sqrt h).
Proof.
  intros V1 V2. split; [| split].
  - intros eps He. assert (Hd : 0 < eps * eps) by nra. exists (mkposreal _ Hd). simpl.
    intros h Hn Hlt. unfold V1. rewrite Rplus_0_l, Rabs_R0, Rmult_0_l, !Rminus_0_r.
    unfold Rdiv. rewrite !Rabs_mult, Rabs_Rabsolu, Rabs_inv.
    assert (Hp : 0 < Rabs h) by (apply Rabs_pos_lt; assumption).
    rewrite (Rabs_pos_eq (sqrt _)) by apply sqrt_pos.
    replace (Rabs h * sqrt (Rabs h) * / Rabs h) with (sqrt (Rabs h)) by (field; lra).
    rewrite <- (sqrt_square eps) by lra. apply sqrt_lt_1_alt. lra.
  - intros h Hh. unfold euler_step, V1, V2. simpl.
    rewrite Rabs_R0. replace (0 + h * 1) with h by ring. rewrite Rabs_pos_eq by assumption. ring.
  - intros C. set (c := Rabs C + 1). assert (Hc : 1 <= c) by (unfold c; pose proof (Rabs_pos C); lra).
    assert (HcC : C < c) by (unfold c; pose proof (Rle_abs C); lra).
    exists (/ (c * c)).
    assert (Hi : 0 < / c) by (apply Rinv_0_lt_compat; lra).
    assert (E : / (c * c) = / c * / c) by (field; lra).
    assert (Hi1 : / c <= 1) by (rewrite <- Rinv_1; apply Rinv_le_contravar; lra).
    rewrite E. rewrite sqrt_square by lra. split; [nra |].
    assert (Hci : c * / c = 1) by (field; lra).
    assert (0 < / c * / c * (/ c * / c) * / c) by (repeat apply Rmult_lt_0_compat; assumption).
    replace (/ c * / c * (/ c * / c) * / c)
      with (c * (/ c * / c * (/ c * / c) * (/ c * / c))) by (field; lra).
    apply Rmult_lt_compat_r; [repeat apply Rmult_lt_0_compat; assumption | exact HcC].
Qed.
