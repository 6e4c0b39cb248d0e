(** Real inner-product spaces, and R^d with the Euclidean inner product, which is complete.

    The laws below are those of a symmetric, bilinear, positive form for which vectors at distance
    0 are equal; the laws of a vector space follow (inner_ext: vectors with the same inner
    products are equal). *)

From Coq Require Import Reals Lra Lia FunctionalExtensionality.
From Coq Require Fin.
From TrainingInReverse Require Import metric_spaces compositions.
Local Open Scope R_scope.

Record InnerProductSpace := {
  vector :> Type;
  zero : vector;
  add : vector -> vector -> vector;
  scale : R -> vector -> vector;
  inner : vector -> vector -> R;
  inner_sym : forall x y, inner x y = inner y x;
  inner_add_l : forall x y z, inner (add x y) z = inner x z + inner y z;
  inner_scale_l : forall a x y, inner (scale a x) y = a * inner x y;
  inner_zero_l : forall x, inner zero x = 0;
  inner_nonneg : forall x, 0 <= inner x x;
  inner_separates : forall x y,
    inner (add x (scale (-1) y)) (add x (scale (-1) y)) = 0 -> x = y
}.

Arguments zero {_}.
Arguments add {_} _ _.
Arguments scale {_} _ _.
Arguments inner {_} _ _.
Arguments inner_sym {_} _ _.
Arguments inner_add_l {_} _ _ _.
Arguments inner_scale_l {_} _ _ _.
Arguments inner_zero_l {_} _.
Arguments inner_nonneg {_} _.
Arguments inner_separates {_} _ _ _.

Definition sub {E : InnerProductSpace} (x y : E) : E := add x (scale (-1) y).
Definition norm {E : InnerProductSpace} (x : E) : R := sqrt (inner x x).

Declare Scope vec_scope.
Delimit Scope vec_scope with V.
Notation "x +v y" := (add x y) (at level 50, left associativity) : vec_scope.
Notation "x -v y" := (sub x y) (at level 50, left associativity) : vec_scope.
Notation "a *v x" := (scale a x) (at level 40, left associativity) : vec_scope.
Notation "⟨ x , y ⟩" := (inner x y) (at level 0, x at level 99, y at level 99) : vec_scope.
Notation "‖ x ‖" := (norm x) (at level 35, x at level 99) : vec_scope.
Local Open Scope vec_scope.

(** x_0 + ... + x_{n-1}. *)
Fixpoint vsum {E : InnerProductSpace} (n : nat) (x : nat -> E) : E :=
  match n with
  | O => zero
  | S n' => vsum n' x +v x n'
  end.

Section Algebra.
  Context {E : InnerProductSpace}.
  Implicit Types (x y z u : E) (a b : R).

  Lemma inner_add_r : forall x y z, ⟨x, y +v z⟩ = ⟨x, y⟩ + ⟨x, z⟩.
  Proof. intros. rewrite inner_sym, inner_add_l, !(inner_sym x). reflexivity. Qed.

  Lemma inner_scale_r : forall a x y, ⟨x, a *v y⟩ = a * ⟨x, y⟩.
  Proof. intros. rewrite inner_sym, inner_scale_l, inner_sym. reflexivity. Qed.

  Lemma inner_zero_r : forall x, ⟨x, zero⟩ = 0.
  Proof. intros. rewrite inner_sym. apply inner_zero_l. Qed.

  Lemma inner_sub_l : forall x y z, ⟨x -v y, z⟩ = ⟨x, z⟩ - ⟨y, z⟩.
  Proof. intros. unfold sub. rewrite inner_add_l, inner_scale_l. ring. Qed.

  Lemma inner_sub_r : forall x y z, ⟨x, y -v z⟩ = ⟨x, y⟩ - ⟨x, z⟩.
  Proof. intros. unfold sub. rewrite inner_add_r, inner_scale_r. ring. Qed.

  Lemma inner_vsum_l : forall n (v : nat -> E) x, ⟨vsum n v, x⟩ = Rsum n (fun i => ⟨v i, x⟩).
  Proof.
    induction n; intros; simpl; [apply inner_zero_l | rewrite inner_add_l, IHn; reflexivity].
  Qed.

  (** Vectors with the same inner products are equal. *)
  Lemma inner_ext : forall x y, (forall u, ⟨x, u⟩ = ⟨y, u⟩) -> x = y.
  Proof.
    intros x y H. apply inner_separates. fold (x -v y). rewrite inner_sub_l, H. ring.
  Qed.
End Algebra.

#[export] Hint Rewrite @inner_add_l @inner_add_r @inner_scale_l @inner_scale_r @inner_zero_l
  @inner_zero_r @inner_sub_l @inner_sub_r @inner_vsum_l : inner.

(** Proves an identity between linear combinations of vectors. *)
Ltac vec := apply inner_ext; intro; autorewrite with inner; try ring; try (field; lra).

Section Norm.
  Context {E : InnerProductSpace}.
  Implicit Types (x y z u : E) (a b : R).

  Lemma norm_nonneg : forall x, 0 <= ‖x‖.
  Proof. intros. apply sqrt_pos. Qed.

  Lemma norm_sq : forall x, ‖x‖ * ‖x‖ = ⟨x, x⟩.
  Proof. intros. apply sqrt_sqrt, inner_nonneg. Qed.

  Lemma norm_zero : ‖zero : E‖ = 0.
  Proof. unfold norm. rewrite inner_zero_l. apply sqrt_0. Qed.

  Lemma norm_scale : forall a x, ‖a *v x‖ = Rabs a * ‖x‖.
  Proof.
    intros. unfold norm. rewrite inner_scale_l, inner_scale_r, <- Rmult_assoc.
    rewrite sqrt_mult_alt by (apply Rle_0_sqr). fold (Rsqr a). rewrite sqrt_Rsqr_abs.
    reflexivity.
  Qed.

  Lemma norm_le_of_sq : forall x c, 0 <= c -> ⟨x, x⟩ <= c * c -> ‖x‖ <= c.
  Proof.
    intros x c Hc H. apply Rsqr_incr_0; unfold Rsqr; [| apply norm_nonneg | exact Hc].
    rewrite norm_sq. exact H.
  Qed.

  (** The Cauchy-Schwarz inequality. *)
  Lemma cauchy_schwarz : forall x y, ⟨x, y⟩ <= ‖x‖ * ‖y‖.
  Proof.
    intros x y. pose proof (norm_nonneg x) as Hx. pose proof (norm_nonneg y) as Hy.
    pose proof (norm_sq x) as Ex. pose proof (norm_sq y) as Ey.
    pose proof (inner_nonneg (‖y‖ *v x -v ‖x‖ *v y)) as H.
    autorewrite with inner in H. rewrite (inner_sym y x), <- Ex, <- Ey in H.
    assert (H' : 0 <= 2 * (‖x‖ * ‖y‖) * (‖x‖ * ‖y‖ - ⟨x, y⟩)) by nra.
    destruct (Req_dec (‖x‖ * ‖y‖) 0) as [Z | Z].
    - (* one of them is 0: <x, y>^2 <= 0 by the same square with a factor <x, y> *)
      rewrite Z. apply Rnot_lt_le. intro Hpos.
      destruct (Rmult_integral _ _ Z) as [Z' | Z'].
      + pose proof (inner_nonneg (⟨x, y⟩ *v y -v (‖y‖ * ‖y‖ + 1) *v x)) as G.
        autorewrite with inner in G. rewrite (inner_sym y x), <- Ex, <- Ey, Z' in G. nra.
      + pose proof (inner_nonneg (⟨x, y⟩ *v x -v (‖x‖ * ‖x‖ + 1) *v y)) as G.
        autorewrite with inner in G. rewrite (inner_sym y x), <- Ex, <- Ey, Z' in G. nra.
    - assert (0 < ‖x‖ * ‖y‖) by nra. nra.
  Qed.

  Lemma norm_triangle : forall x y, ‖x +v y‖ <= ‖x‖ + ‖y‖.
  Proof.
    intros x y. pose proof (norm_nonneg x). pose proof (norm_nonneg y).
    apply norm_le_of_sq; [lra |]. autorewrite with inner.
    rewrite (inner_sym y x), <- !norm_sq. pose proof (cauchy_schwarz x y). nra.
  Qed.

  Lemma norm_sub_sym : forall x y, ‖x -v y‖ = ‖y -v x‖.
  Proof.
    intros. unfold norm. f_equal. autorewrite with inner. rewrite (inner_sym y x). ring.
  Qed.

  Lemma norm_sub_triangle : forall x y z, ‖x -v z‖ <= ‖x -v y‖ + ‖y -v z‖.
  Proof.
    intros. replace (x -v z) with ((x -v y) +v (y -v z)) by vec. apply norm_triangle.
  Qed.

  Lemma norm_sub_le : forall x y, ‖x -v y‖ <= ‖x‖ + ‖y‖.
  Proof.
    intros. replace (x -v y) with (x +v (-1) *v y) by vec.
    eapply Rle_trans; [apply norm_triangle |]. rewrite norm_scale, Rabs_left by lra. lra.
  Qed.

  Lemma norm_sub_refl : forall x, ‖x -v x‖ = 0.
  Proof. intros. replace (x -v x) with (zero : E) by vec. apply norm_zero. Qed.

  Lemma norm_zero_eq : forall x, ‖x‖ = 0 -> x = zero.
  Proof.
    intros x H. apply inner_separates. pose proof (norm_sq x) as N. rewrite H in N.
    autorewrite with inner. lra.
  Qed.

  Lemma norm_sub_separates : forall x y, ‖x -v y‖ = 0 -> x = y.
  Proof.
    intros x y H. apply inner_separates. fold (x -v y). rewrite <- norm_sq, H. ring.
  Qed.

  Lemma norm_vsum : forall n (v : nat -> E), ‖vsum n v‖ <= Rsum n (fun i => ‖v i‖).
  Proof.
    induction n; intros; simpl; [rewrite norm_zero; lra |].
    eapply Rle_trans; [apply norm_triangle |]. pose proof (IHn v). lra.
  Qed.

  (** If <x, u> <= c |u| for all u then |x| <= c. *)
  Lemma norm_le_of_inner : forall x c, 0 <= c -> (forall u, ⟨x, u⟩ <= c * ‖u‖) -> ‖x‖ <= c.
  Proof.
    intros x c Hc H. specialize (H x). rewrite <- norm_sq in H.
    pose proof (norm_nonneg x). destruct (Req_dec (‖x‖) 0); [lra |].
    apply (Rmult_le_reg_r (‖x‖)); lra.
  Qed.

  Lemma vsum_ext : forall n (v w : nat -> E),
    (forall i, (i < n)%nat -> v i = w i) -> vsum n v = vsum n w.
  Proof.
    induction n; intros v w H; simpl; [reflexivity |].
    rewrite (H n) by lia. rewrite (IHn v w); auto.
  Qed.

  Lemma vsum_first : forall n (v : nat -> E), vsum (S n) v = v 0%nat +v vsum n (fun i => v (S i)).
  Proof. intros. vec. rewrite Rsum_first. reflexivity. Qed.
End Norm.

(** The metric |x - y|. *)
Definition norm_metric (E : InnerProductSpace) : MetricSpace :=
  Build_MetricSpace E (fun x y => ‖x -v y‖) (fun x y => norm_nonneg (x -v y))
    norm_sub_refl norm_sub_separates norm_sub_sym norm_sub_triangle.

(** ** R^d *)

(** Vectors of length d, and sums over their coordinates. *)
Definition coordinates (d : nat) : Type := Fin.t d -> R.

Fixpoint sum_fin {d : nat} : (Fin.t d -> R) -> R :=
  match d with
  | O => fun _ => 0
  | S d' => fun f => f Fin.F1 + @sum_fin d' (fun i => f (Fin.FS i))
  end.

Lemma sum_fin_ext : forall d (f g : Fin.t d -> R), (forall i, f i = g i) -> sum_fin f = sum_fin g.
Proof. induction d; intros; simpl; [reflexivity | rewrite H; f_equal; apply IHd; auto]. Qed.

Lemma sum_fin_plus : forall d (f g : Fin.t d -> R),
  sum_fin (fun i => f i + g i) = sum_fin f + sum_fin g.
Proof. induction d; intros; simpl; [ring |]. rewrite IHd. ring. Qed.

Lemma sum_fin_scale : forall d a (f : Fin.t d -> R), sum_fin (fun i => a * f i) = a * sum_fin f.
Proof. induction d; intros; simpl; [ring |]. rewrite IHd. ring. Qed.

Lemma sum_fin_le : forall d (f g : Fin.t d -> R), (forall i, f i <= g i) -> sum_fin f <= sum_fin g.
Proof.
  induction d; intros; simpl; [lra |]. pose proof (H Fin.F1).
  pose proof (IHd _ _ (fun i => H (Fin.FS i))). lra.
Qed.

Lemma sum_fin_zero : forall d, sum_fin (fun _ : Fin.t d => 0) = 0.
Proof. induction d; simpl; [reflexivity | rewrite IHd; ring]. Qed.

Lemma sum_fin_nonneg : forall d (f : Fin.t d -> R), (forall i, 0 <= f i) -> 0 <= sum_fin f.
Proof. intros. rewrite <- (sum_fin_zero d). apply sum_fin_le. assumption. Qed.

Lemma sum_fin_term_le : forall d (f : Fin.t d -> R) i, (forall j, 0 <= f j) -> f i <= sum_fin f.
Proof.
  intros d f i. revert f. induction i; intros f Hf; simpl.
  - pose proof (sum_fin_nonneg _ _ (fun j => Hf (Fin.FS j))). lra.
  - pose proof (IHi _ (fun j => Hf (Fin.FS j))). pose proof (Hf Fin.F1). simpl in *. lra.
Qed.

Definition dot {d : nat} (x y : coordinates d) : R := sum_fin (fun i => x i * y i).

Lemma dot_separates : forall d (x y : coordinates d),
  dot (fun i => x i + -1 * y i) (fun i => x i + -1 * y i) = 0 -> x = y.
Proof.
  intros d x y H. apply functional_extensionality. intros i.
  pose proof (sum_fin_term_le d (fun i => (x i + -1 * y i) * (x i + -1 * y i)) i
    (fun j => Rle_0_sqr _)) as Hi.
  unfold dot in H. rewrite H in Hi. simpl in Hi.
  assert (x i + -1 * y i = 0) by nra. lra.
Qed.

(** R^d with the Euclidean inner product. *)
Definition euclidean (d : nat) : InnerProductSpace.
Proof.
  refine (Build_InnerProductSpace (coordinates d) (fun _ => 0) (fun x y i => x i + y i)
    (fun a x i => a * x i) dot _ _ _ _ _ (dot_separates d)); unfold dot.
  - intros. apply sum_fin_ext. intros. ring.
  - intros. rewrite <- sum_fin_plus. apply sum_fin_ext. intros. ring.
  - intros. rewrite <- sum_fin_scale. apply sum_fin_ext. intros. ring.
  - intros. transitivity (sum_fin (fun _ : Fin.t d => 0)); [| apply sum_fin_zero].
    apply sum_fin_ext. intros. ring.
  - intros. apply sum_fin_nonneg. intros. apply Rle_0_sqr.
Defined.

Lemma coordinate_le_norm : forall d (x : euclidean d) i, Rabs (x i) <= ‖x‖.
Proof.
  intros d x i. unfold norm. rewrite <- sqrt_Rsqr_abs. apply sqrt_le_1_alt.
  apply (sum_fin_term_le d (fun j => x j * x j)). intros. apply Rle_0_sqr.
Qed.

Lemma norm_le_sum_coordinates : forall d (x : euclidean d), ‖x‖ <= sum_fin (fun i => Rabs (x i)).
Proof.
  intros d x. pose proof (sum_fin_nonneg d (fun i => Rabs (x i)) (fun i => Rabs_pos _)).
  apply norm_le_of_sq; [assumption |]. simpl. unfold dot.
  rewrite <- sum_fin_scale. apply sum_fin_le. intros i.
  fold (Rsqr (x i)). rewrite Rsqr_abs. unfold Rsqr.
  rewrite (Rmult_comm (sum_fin _)).
  apply Rmult_le_compat_l; [apply Rabs_pos |].
  apply (sum_fin_term_le d (fun j => Rabs (x j))). intros. apply Rabs_pos.
Qed.

(** Coordinatewise limits are limits: sum_i |u_n i - l i| -> 0. *)
Lemma coordinatewise_convergence : forall d (u : nat -> coordinates d) (l : coordinates d),
  (forall i, Un_cv (fun n => u n i) (l i)) ->
  Un_cv (fun n => sum_fin (fun i => Rabs (u n i - l i))) 0.
Proof.
  induction d; intros u l H.
  - intros eps He. exists 0%nat. intros. simpl. unfold R_dist.
    rewrite Rminus_diag_eq, Rabs_R0; auto.
  - simpl. rewrite <- (Rplus_0_l 0). apply CV_plus.
    + intros eps He. destruct (H Fin.F1 eps He) as [N HN]. exists N. intros n Hn.
      unfold R_dist. rewrite Rminus_0_r, Rabs_Rabsolu. apply HN. assumption.
    + apply (IHd (fun n i => u n (Fin.FS i)) (fun i => l (Fin.FS i))). intros i. apply H.
Qed.

(** R^d with the Euclidean norm is complete, so Theorem 2.2 applies on it. *)
Theorem euclidean_complete : forall d, complete (norm_metric (euclidean d)).
Proof.
  intros d u Hu.
  assert (Hi : forall i, Cauchy_crit (fun n => (u n : coordinates d) i)).
  { intros i eps He. destruct (Hu eps He) as [N HN]. exists N. intros n m Hn Hm.
    specialize (HN n m Hn Hm). simpl in HN. unfold R_dist.
    eapply Rle_lt_trans; [| exact HN].
    pose proof (coordinate_le_norm d (u n -v u m) i) as H. simpl in H.
    replace (u n i - u m i) with (u n i + -1 * u m i) by ring. exact H. }
  exists (fun i => proj1_sig (R_complete _ (Hi i))).
  apply (converges_within (X := norm_metric (euclidean d)) _ _
    (fun n => sum_fin (fun i => Rabs (u n i - proj1_sig (R_complete _ (Hi i)))))).
  - intros n. simpl. eapply Rle_trans; [apply norm_le_sum_coordinates |].
    right. apply sum_fin_ext. intros i. simpl. f_equal. ring.
  - apply coordinatewise_convergence. intros i. destruct (R_complete _ (Hi i)) as [l Hl]. exact Hl.
Qed.

(** The line as an inner-product space. *)
Definition line : InnerProductSpace.
Proof.
  refine (Build_InnerProductSpace R 0 Rplus Rmult Rmult _ _ _ _ _ _); intros; try ring.
  - apply Rle_0_sqr.
  - assert (x + -1 * y = 0) by nra. lra.
Defined.
