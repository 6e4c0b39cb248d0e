(** Gradient steps on convex smooth losses contract in mean square as soon as the mean loss is strongly
    convex (row 82), although no single step needs to contract; and one draw that is repeated for ever
    shows that exchangeable maps are not enough. *)

From Coq Require Import Reals Lra Lia List Arith Permutation.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces
  strongly_convex_step sharp_gradient_step equality_of_laws reshuffling.
Import ListNotations.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** Co-coercivity: |g x - g y|^2 <= M <g x - g y, x - y>, for the gradient of a convex function that is
    M-smooth (its monotonicity lies between 0 and M). *)
Theorem gradient_cocoercive : forall {E : InnerProductSpace} (F : E -> R) (g : E -> E) M, 0 < M ->
  gradient_of F g ->
  (forall x y, 0 <= ⟨g x -v g y, x -v y⟩ <= M * ⟨x -v y, x -v y⟩) ->
  forall x y, ⟨g x -v g y, g x -v g y⟩ <= M * ⟨g x -v g y, x -v y⟩.
Proof.
  intros E F g M HM Hg Hb.
  (* from the tangent at y to the point x - (g x - g y)/M, and from x to the same point *)
  assert (Half : forall x y, ⟨g x -v g y, g x -v g y⟩ / (2 * M) <= F x - F y - ⟨g y, x -v y⟩).
  { intros x y. set (w := g x -v g y). set (v := (- / M) *v w).
    pose proof (parabola_above F g M Hg (fun a b => proj2 (Hb a b)) x v) as A.
    pose proof (parabola_below F g 0 Hg) as B.
    assert (B' : ⟨g y, (x -v y) +v v⟩ + 0 / 2 * ⟨(x -v y) +v v, (x -v y) +v v⟩
                 <= F (y +v ((x -v y) +v v)) - F y).
    { apply B. intros a b. specialize (Hb a b). lra. }
    replace (y +v ((x -v y) +v v)) with (x +v v) in B' by vec.
    rewrite inner_add_r in B'.
    assert (Es : ⟨w, w⟩ = ⟨g x, w⟩ - ⟨g y, w⟩) by apply (inner_sub_l (g x) (g y) w).
    assert (Ew : ⟨g x, v⟩ - ⟨g y, v⟩ = - / M * ⟨w, w⟩)
      by (unfold v; rewrite !inner_scale_r, Es; ring).
    assert (Ev : M / 2 * ⟨v, v⟩ = / M * ⟨w, w⟩ / 2)
      by (unfold v; rewrite inner_scale_l, inner_scale_r; field; lra).
    replace (⟨w, w⟩ / (2 * M)) with (/ M * ⟨w, w⟩ / 2) by (field; lra).
    lra. }
  intros x y. pose proof (Half x y) as H1. pose proof (Half y x) as H2.
  assert (S1 : ⟨g y -v g x, g y -v g x⟩ = ⟨g x -v g y, g x -v g y⟩)
    by (autorewrite with inner; ring).
  rewrite S1 in H2.
  assert (S2 : ⟨g y, x -v y⟩ + ⟨g x, y -v x⟩ = - ⟨g x -v g y, x -v y⟩)
    by (autorewrite with inner; ring).
  set (W := ⟨g x -v g y, g x -v g y⟩) in *. set (I := ⟨g x -v g y, x -v y⟩) in *.
  assert (H : W / (2 * M) + W / (2 * M) <= I) by lra.
  replace (W / (2 * M) + W / (2 * M)) with (W / M) in H by (field; lra).
  apply (Rmult_le_compat_l M) in H; [| lra]. replace (M * (W / M)) with W in H by (field; lra). exact H.
Qed.

Section ConvexLosses.
  Context {E : InnerProductSpace} {L : Type} (alphabet : list L) (p : L -> R).
  Variables (F : L -> E -> R) (g : L -> E -> E) (mu M h : R).
  Hypothesis p_nonneg : forall a, In a alphabet -> 0 <= p a.
  Hypothesis p_sums_to_1 : sum_letters alphabet p = 1.
  Hypothesis M_pos : 0 < M.
  Hypothesis losses : forall a, In a alphabet -> gradient_of (F a) (g a).
  Hypothesis convex_and_smooth : forall a x y, In a alphabet ->
    0 <= ⟨g a x -v g a y, x -v y⟩ <= M * ⟨x -v y, x -v y⟩.
  Hypothesis mean_strongly_convex : forall x y,
    mu * ⟨x -v y, x -v y⟩ <= sum_letters alphabet (fun a => p a * ⟨g a x -v g a y, x -v y⟩).

  (** Row 82: E |T x - T y|^2 <= (1 - h mu (2 - hM)) |x - y|^2 for 0 <= h <= 2/M. *)
  Theorem convex_losses_mean_square : 0 <= h -> h * M <= 2 -> forall x y,
    sum_letters alphabet (fun a => p a * ⟨step h (g a) x -v step h (g a) y, step h (g a) x -v step h (g a) y⟩)
    <= (1 - h * mu * (2 - h * M)) * ⟨x -v y, x -v y⟩.
  Proof.
    intros Hh HhM x y. set (d := x -v y).
    apply Rle_trans with (sum_letters alphabet (fun a =>
      p a * (⟨d, d⟩ - h * (2 - h * M) * ⟨g a x -v g a y, d⟩))).
    - apply sum_letters_le. intros a Ha. apply Rmult_le_compat_l; [auto |].
      pose proof (gradient_cocoercive (F a) (g a) M M_pos (losses a Ha)
        (fun u v => convex_and_smooth a u v Ha) x y) as Hc. fold d in Hc.
      replace (step h (g a) x -v step h (g a) y) with (d -v h *v (g a x -v g a y))
        by (unfold step, d; vec).
      set (w := g a x -v g a y) in *. autorewrite with inner. rewrite (inner_sym d w).
      pose proof (Rmult_le_compat_l (h * h) _ _ ltac:(nra) Hc). lra.
    - rewrite (sum_letters_ext alphabet _
        (fun a => ⟨d, d⟩ * p a + - (h * (2 - h * M)) * (p a * ⟨g a x -v g a y, d⟩))) by (intros; ring).
      rewrite sum_letters_plus, !sum_letters_scale, p_sums_to_1.
      pose proof (mean_strongly_convex x y) as Hm. fold d in Hm.
      assert (0 <= h * (2 - h * M)) by nra.
      pose proof (Rmult_le_compat_l (h * (2 - h * M)) _ _ ltac:(assumption) Hm). lra.
  Qed.

  (** The factor is below 1 for mu > 0 and 0 < h < 2/M. *)
  Theorem mean_square_factor_below_1 : 0 < mu -> 0 < h < 2 / M -> 1 - h * mu * (2 - h * M) < 1.
  Proof.
    intros Hmu [Hh Hh2].
    assert (h * M < 2).
    { apply (Rmult_lt_compat_r M) in Hh2; [| lra]. replace (2 / M * M) with 2 in Hh2 by (field; lra). lra. }
    assert (0 < h * mu) by (apply Rmult_lt_0_compat; lra). nra.
  Qed.
End ConvexLosses.

(** ** Exchangeable maps are not enough *)

(** The maps 0 and (6/5) x of the line; one of them, with probability 1/2, is applied for ever. *)
Definition zero_or_grow (a : nat) (x : R) : R := match a with O => 0 | _ => 6 / 5 * x end.

Definition one_for_ever (w : list nat) : R :=
  if list_eq_dec Nat.eq_dec w (repeat 0%nat (length w)) then 1 / 2
  else if list_eq_dec Nat.eq_dec w (repeat 1%nat (length w)) then 1 / 2 else 0.

Lemma constant_under_permutation : forall (a : nat) v w, Permutation v w ->
  v = repeat a (length v) -> w = repeat a (length w).
Proof.
  intros a v w Hp Hv. apply Forall_eq_repeat, Forall_forall. intros b Hb.
  apply Permutation_sym in Hp. apply (Permutation_in b Hp) in Hb. rewrite Hv in Hb.
  symmetry. apply (repeat_spec _ _ _ Hb).
Qed.

Lemma one_for_ever_exchangeable : forall v w, Permutation v w -> one_for_ever v = one_for_ever w.
Proof.
  intros v w Hp. pose proof (Permutation_sym Hp) as Hp'. unfold one_for_ever.
  repeat match goal with |- context [list_eq_dec Nat.eq_dec ?l (repeat ?a ?n)] =>
    destruct (list_eq_dec Nat.eq_dec l (repeat a n)) end; try reflexivity;
  exfalso; eauto using constant_under_permutation.
Qed.

Lemma is_word_repeat : forall a n, In a [0; 1]%nat -> is_word [0; 1]%nat n (repeat a n).
Proof.
  intros a n Ha. split; [apply repeat_length |]. intros b Hb. rewrite (repeat_spec _ _ _ Hb). exact Ha.
Qed.

Lemma one_for_ever_expectation : forall n (G : list nat -> R), (1 <= n)%nat ->
  expectation [0; 1]%nat one_for_ever n G = 1 / 2 * G (repeat 0%nat n) + 1 / 2 * G (repeat 1%nat n).
Proof.
  intros n G Hn. unfold expectation.
  rewrite (sum_words_ext _ n _ (fun v =>
    (if list_eq_dec Nat.eq_dec v (repeat 0%nat n) then 1 / 2 * G (repeat 0%nat n) else 0)
    + (if list_eq_dec Nat.eq_dec v (repeat 1%nat n) then 1 / 2 * G (repeat 1%nat n) else 0))).
  - rewrite sum_words_plus, !sum_words_pick
      by (try apply is_word_repeat; try apply (seq_NoDup 2 0); simpl; auto). reflexivity.
  - intros v [Hl _]. unfold one_for_ever. rewrite Hl.
    destruct (list_eq_dec Nat.eq_dec v (repeat 0%nat n)) as [E0 | E0],
      (list_eq_dec Nat.eq_dec v (repeat 1%nat n)) as [E1 | E1].
    + exfalso. rewrite E0 in E1. destruct n; [lia | discriminate].
    + rewrite E0. ring.
    + rewrite E1. ring.
    + ring.
Qed.

(** Row 82: each single map has E d(Tx, Ty)^2 = (18/25) d(x, y)^2, the words are exchangeable, and
    E d(T_1...T_n x, T_1...T_n y)^2 = (36/25)^n d(x, y)^2 / 2, above 734 d(x, y)^2 at n = 20. *)
Theorem exchangeable_mean_square_is_not_enough : forall x y : R,
  let square w := (backward_word zero_or_grow w x - backward_word zero_or_grow w y) ^ 2 in
  (forall v w, Permutation v w -> one_for_ever v = one_for_ever w) /\
  expectation [0; 1]%nat one_for_ever 1 square = 18 / 25 * (x - y) ^ 2 /\
  (forall n, (1 <= n)%nat ->
     expectation [0; 1]%nat one_for_ever n square = 1 / 2 * (36 / 25) ^ n * (x - y) ^ 2) /\
  734 < 1 / 2 * (36 / 25) ^ 20 < 735.
Proof.
  intros x y square.
  assert (Hz : forall n z, (1 <= n)%nat -> backward_word zero_or_grow (repeat 0%nat n) z = 0)
    by (intros [| n] z Hn; [lia | reflexivity]).
  assert (Hg : forall n z, backward_word zero_or_grow (repeat 1%nat n) z = (6 / 5) ^ n * z).
  { intros n z. unfold backward_word. induction n; simpl; [ring |]. rewrite IHn. ring. }
  assert (Hn : forall n, (1 <= n)%nat ->
     expectation [0; 1]%nat one_for_ever n square = 1 / 2 * (36 / 25) ^ n * (x - y) ^ 2).
  { intros n H. rewrite one_for_ever_expectation by exact H. unfold square.
    rewrite !Hz, !Hg by exact H.
    replace (36 / 25) with ((6 / 5) * (6 / 5)) by field. rewrite Rpow_mult_distr. ring. }
  split; [apply one_for_ever_exchangeable |]. split; [| split; [exact Hn |]].
  - rewrite Hn by lia. field.
  - simpl. lra.
Qed.
