(** Around Theorem 2.6: the law of Example 2.4, the printed factorisation of Appendix E refuted,
    and what fails without reversibility or continuity. *)

From Coq Require Import Reals Lra Lia List Bool.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction equality_of_laws.
Import ListNotations.
Local Open Scope R_scope.

(** Two letters of probability 1/2 each. *)
Definition coin : list bool := [true; false].
Definition fair (_ : bool) : R := 1 / 2.

Lemma fair_sums_to_1 : sum_letters coin fair = 1.
Proof. unfold coin, fair. simpl. lra. Qed.

(** ** Example 2.4 *)
Section ConstantMaps.
  Context {X : Type} (x0 y0 : X).

  Definition constant_map (b : bool) (_ : X) : X := if b then x0 else y0.

  (** Row 27: the law of the forward iterate is (1/2, 1/2) on {x0, y0} exactly, for every n >= 1. *)
  Theorem constant_maps_forward_law : forall n (phi : X -> R) x, (1 <= n)%nat ->
    expectation coin (product_weight fair) n (fun w => phi (forward_word constant_map w x))
    = 1 / 2 * phi x0 + 1 / 2 * phi y0.
  Proof.
    intros [| n] phi x Hn; [lia |]. unfold expectation. rewrite sum_words_last.
    assert (H : forall a, sum_words coin n (fun w => product_weight fair (w ++ [a])
                            * phi (forward_word constant_map (w ++ [a]) x))
                          = 1 / 2 * phi (constant_map a x)).
    { intros a.
      rewrite (sum_words_ext coin n _ (fun w => product_weight fair w * (1 / 2 * phi (constant_map a x)))).
      - apply (expectation_const coin fair fair_sums_to_1).
      - intros w _. unfold forward_word. rewrite product_weight_app, rev_app_distr.
        unfold constant_map. simpl. change (fair a) with (1 / 2). ring. }
    simpl. rewrite !H. simpl. ring.
  Qed.
End ConstantMaps.

(** ** The printed factorisation *)

(** The distribution function of a law on R^2 at (a, b), and those of its coordinates. *)
Definition indicator (P : Prop) (dec : {P} + {~ P}) : R := if dec then 1 else 0.
Definition joint_cdf (E : (R * R -> R) -> R) (a b : R) : R :=
  E (fun z => indicator _ (Rle_dec (fst z) a) * indicator _ (Rle_dec (snd z) b)).
Definition first_cdf (E : (R * R -> R) -> R) (a : R) : R := E (fun z => indicator _ (Rle_dec (fst z) a)).
Definition second_cdf (E : (R * R -> R) -> R) (b : R) : R := E (fun z => indicator _ (Rle_dec (snd z) b)).

(** Appendix E.2 (row 38): "by independence of the T_i" the distribution function of the forward
    iterate is printed as the product of those of its coordinates. Example 2.4 with x0 = (0,0),
    y0 = (1,1) refutes it at every n >= 1: joint 1/2, product 1/4 at the point (1/2, 1/2). *)
Theorem printed_factorisation_refuted : forall n x, (1 <= n)%nat ->
  let E phi := expectation coin (product_weight fair) n
                 (fun w => phi (forward_word (constant_map (0, 0) (1, 1)) w x)) in
  joint_cdf E (1 / 2) (1 / 2) = 1 / 2 /\
  first_cdf E (1 / 2) * second_cdf E (1 / 2) = 1 / 4.
Proof.
  intros n x Hn E.
  assert (H : forall phi, E phi = 1 / 2 * phi (0, 0) + 1 / 2 * phi (1, 1))
    by (intros phi; apply constant_maps_forward_law; assumption).
  unfold joint_cdf, first_cdf, second_cdf. rewrite !H. unfold indicator. simpl.
  repeat destruct Rle_dec; lra.
Qed.

(** ** Without reversibility *)

(** The maps x/2 and x/2 + 1/2. *)
Definition digit_map (b : bool) (x : R) : R := (x + (if b then 1 else 0)) / 2.

(** Words of three letters, reshuffled in epochs of two: l_1 l_2 is 01 or 10, l_3 is fresh. *)
Definition reshuffled (w : list bool) : R :=
  match w with
  | [a; b; _] => if Bool.eqb a b then 0 else 1 / 4
  | _ => 0
  end.

(** Row 40: a fresh reshuffle in every epoch breaks the equality at N = 2, n = 3. The forward law
    is uniform on {1/8, 1/4, 5/8, 3/4}, the backward law on {1/4, 3/8, 1/2, 5/8}; the weights sum
    to 1, the means agree (7/16), the second moments do not (66/256 and 54/256). *)
Theorem reshuffling_breaks_equality :
  let forward_E (phi : R -> R) :=
    expectation coin reshuffled 3 (fun w => phi (forward_word digit_map w 0)) in
  let backward_E (phi : R -> R) :=
    expectation coin reshuffled 3 (fun w => phi (backward_word digit_map w 0)) in
  (forall phi, forward_E phi = 1 / 4 * (phi (1 / 8) + phi (2 / 8) + phi (5 / 8) + phi (6 / 8))) /\
  (forall phi, backward_E phi = 1 / 4 * (phi (2 / 8) + phi (3 / 8) + phi (4 / 8) + phi (5 / 8))) /\
  forward_E (fun x => x) = 7 / 16 /\ backward_E (fun x => x) = 7 / 16 /\
  forward_E (fun x => x ^ 2) = 66 / 256 /\ backward_E (fun x => x ^ 2) = 54 / 256.
Proof.
  intros forward_E backward_E.
  assert (F : forall phi, forward_E phi = 1 / 4 * (phi (1 / 8) + phi (2 / 8) + phi (5 / 8) + phi (6 / 8))).
  { intros phi. unfold forward_E, expectation, forward_word, compose, digit_map. simpl.
    replace ((((0 + 1) / 2 + 0) / 2 + 0) / 2) with (1 / 8) by field.
    replace ((((0 + 0) / 2 + 1) / 2 + 0) / 2) with (2 / 8) by field.
    replace ((((0 + 1) / 2 + 0) / 2 + 1) / 2) with (5 / 8) by field.
    replace ((((0 + 0) / 2 + 1) / 2 + 1) / 2) with (6 / 8) by field. ring. }
  assert (B : forall phi, backward_E phi = 1 / 4 * (phi (2 / 8) + phi (3 / 8) + phi (4 / 8) + phi (5 / 8))).
  { intros phi. unfold backward_E, expectation, backward_word, compose, digit_map. simpl.
    replace ((((0 + 0) / 2 + 1) / 2 + 0) / 2) with (2 / 8) by field.
    replace ((((0 + 1) / 2 + 1) / 2 + 0) / 2) with (3 / 8) by field.
    replace ((((0 + 0) / 2 + 0) / 2 + 1) / 2) with (4 / 8) by field.
    replace ((((0 + 1) / 2 + 0) / 2 + 1) / 2) with (5 / 8) by field. ring. }
  rewrite !F, !B. repeat split; [exact F | exact B | | | |]; field.
Qed.

(** Row 39: a fixed cyclic order is not reversible, and the laws differ from n = 2 on: with the
    one word T_1 T_2 of two constant maps, forward ends in y0 and backward in x0. *)
Definition cyclic (w : list bool) : R :=
  match w with
  | [true; false] => 1
  | _ => 0
  end.

Theorem cyclic_order_breaks_equality :
  expectation coin cyclic 2 (fun w => forward_word (constant_map 0 1) w 0) = 1 /\
  expectation coin cyclic 2 (fun w => backward_word (constant_map 0 1) w 0) = 0.
Proof.
  unfold expectation, forward_word, backward_word, compose, coin, cyclic, constant_map. simpl. lra.
Qed.

(** ** Stationarity needs continuity; the converse fails *)

(** x/2 for x <> 0, and 0 is sent to 1. *)
Definition jump (x : R) : R := if Req_EM_T x 0 then 1 else x / 2.

(** Row 37: "stationary" needs continuity. The single map T x = x/2 (x <> 0), T 0 = 1 has
    T^n x -> 0 for every x, but the limit law, the point mass at 0, is not invariant: T 0 = 1. *)
Theorem stationarity_needs_continuity :
  (forall x : R, converges (fun n => backward (fun _ => jump) n x) 0) /\ jump 0 <> 0.
Proof.
  split.
  2: { unfold jump. destruct (Req_EM_T 0 0); lra. }
  assert (H : forall x, x <> 0 -> converges (fun n => backward (fun _ => jump) n x) 0).
  { intros x Hx. apply (converges_within (X := real_line) _ _ (fun n => Rabs x * (1 / 2) ^ n)).
    2: { apply geometric_vanishes. lra. }
    intros n. rewrite backward_one_map.
    assert (E : Nat.iter n jump x = x * (1 / 2) ^ n).
    { induction n; simpl; [ring |]. rewrite IHn. unfold jump.
      pose proof (pow_lt (1 / 2) n ltac:(lra)).
      destruct (Req_EM_T (x * (1 / 2) ^ n) 0) as [Z | Z]; [| field].
      apply Rmult_integral in Z. lra. }
    rewrite E. simpl. rewrite Rminus_0_r, Rabs_mult, (Rabs_pos_eq ((1 / 2) ^ n)); [lra |].
    apply pow_le. lra. }
  intros x. destruct (Req_EM_T x 0) as [-> | Hx]; [| auto].
  apply (converges_unshift (X := real_line) _ _ 1).
  apply (converges_ext (X := real_line) (fun n => backward (fun _ => jump) n 1)); [| apply H; lra].
  intros n. rewrite Nat.add_comm, Nat.add_1_r, backward_succ. f_equal.
  unfold jump. destruct (Req_EM_T 0 0); lra.
Qed.

(** Row 37: no law on [0, 1] is invariant. Let m be the (outer) measure of a law on [0, 1]: equal sets have
    equal measures, a countable union of null sets is null, and m is invariant under T on {0} and on the
    intervals (a, b]. Then m is 0: {0} has no preimage, (1/2, 1] has the preimage {0}, and
    (2^{-n-2}, 2^{-n-1}] has the preimage (2^{-n-1}, 2^{-n}]. *)
Theorem no_invariant_law : forall m : (R -> Prop) -> R,
  (forall A B : R -> Prop, (forall x, 0 <= x <= 1 -> (A x <-> B x)) -> m A = m B) ->
  (forall A : nat -> R -> Prop, (forall n, m (A n) = 0) -> m (fun x => exists n, A n x) = 0) ->
  m (fun _ => False) = 0 ->
  m (fun x => jump x = 0) = m (fun x => x = 0) ->
  (forall a b, m (fun x => a < jump x <= b) = m (fun x => a < x <= b)) ->
  m (fun _ => True) = 0.
Proof.
  intros m Hext Hunion Hempty Hzero Hinv.
  assert (H0 : m (fun x => x = 0) = 0).
  { rewrite <- Hzero, <- Hempty. apply Hext. intros x _. unfold jump.
    destruct (Req_EM_T x 0); split; [lra | contradiction | lra | contradiction]. }
  assert (Hn : forall n, m (fun x => (1 / 2) ^ S n < x <= (1 / 2) ^ n) = 0).
  { induction n.
    - rewrite <- Hinv, <- H0. apply Hext. intros x Hx. unfold jump. simpl.
      destruct (Req_EM_T x 0); split; intros; lra.
    - rewrite <- Hinv, <- IHn. apply Hext. intros x Hx. unfold jump.
      pose proof (pow_lt (1 / 2) n ltac:(lra)). simpl.
      assert (Hle : (1 / 2) ^ n <= 1).
      { eapply Rle_trans; [apply pow_incr with (y := 1); lra | rewrite pow1; lra]. }
      destruct (Req_EM_T x 0); split; intros; lra. }
  rewrite <- (Hunion (fun n x => match n with O => x = 0 | S k => (1 / 2) ^ S k < x <= (1 / 2) ^ k end)).
  2: { intros [| k]; [exact H0 | apply Hn]. }
  apply Hext. intros x Hx. split; [intros _ | auto].
  destruct (Req_EM_T x 0) as [E | E]; [exists 0%nat; exact E |].
  (* the least k with 2^{-k-1} < x *)
  assert (Hk : exists k, (1 / 2) ^ k < x).
  { destruct (geometric_vanishes 1 (1 / 2) ltac:(lra) x ltac:(lra)) as [N HN]. exists N.
    specialize (HN N (le_n N)). unfold R_dist in HN. rewrite Rminus_0_r in HN.
    pose proof (Rle_abs (1 * (1 / 2) ^ N)). lra. }
  destruct Hk as [k Hk]. revert Hk. induction k as [| k IH]; intros Hk; [simpl in Hk; lra |].
  destruct (Rlt_le_dec ((1 / 2) ^ k) x) as [Hlt | Hle]; [apply IH; exact Hlt |].
  exists (S k). split; assumption.
Qed.

(** The maps x and x + 1 (mod 2). *)
Definition flip (b x : bool) : bool := xorb b x.

(** Row 41: the converse of Theorem 2.6 fails. With the maps x and x + 1 (mod 2), each of
    probability 1/2, the forward law is uniform at every n >= 1 ... *)
Theorem flip_law_uniform : forall n (phi : bool -> R) x, (1 <= n)%nat ->
  expectation coin (product_weight fair) n (fun w => phi (forward_word flip w x))
  = 1 / 2 * phi true + 1 / 2 * phi false.
Proof.
  intros [| n] phi x Hn; [lia |]. unfold expectation. rewrite sum_words_last.
  set (S0 := fun a => sum_words coin n (fun w => product_weight fair w
                        * phi (flip a (forward_word flip w x)))).
  assert (H : forall a, sum_words coin n (fun w => product_weight fair (w ++ [a])
                * phi (forward_word flip (w ++ [a]) x)) = 1 / 2 * S0 a).
  { intros a. unfold S0. rewrite <- sum_words_scale. apply sum_words_ext. intros w _.
    unfold forward_word. rewrite product_weight_app, rev_app_distr. simpl. change (fair a) with (1 / 2). ring. }
  simpl. rewrite !H.
  assert (Hsum : S0 true + S0 false = phi true + phi false).
  { unfold S0. rewrite <- sum_words_plus.
    rewrite (sum_words_ext coin n _ (fun w => product_weight fair w * (phi true + phi false))).
    - apply (expectation_const coin fair fair_sums_to_1).
    - intros w _. unfold flip. destruct (forward_word xorb w x); simpl; ring. }
  lra.
Qed.

(** ... but backward iterates settle only if eventually the identity alone is drawn. *)
Theorem flip_backward_settles_iff : forall (draw : nat -> bool) x,
  (exists N l, forall n, (N <= n)%nat -> backward (fun i => flip (draw i)) n x = l) <->
  (exists N, forall n, (N <= n)%nat -> draw (S n) = false).
Proof.
  intros draw x.
  assert (Hin : forall n y b, backward (fun i => flip (draw i)) n (xorb b y)
                              = xorb b (backward (fun i => flip (draw i)) n y)).
  { unfold backward. intros n. generalize 0%nat. induction n; intros a y b; simpl; [reflexivity |].
    rewrite IHn. generalize (segment (fun i => flip (draw i)) (S a) n y). intros z. unfold flip.
    destruct (draw (S a)), b, z; reflexivity. }
  split.
  - intros (N & l & H). exists N. intros n Hn.
    pose proof (H n Hn) as H1. pose proof (H (S n) ltac:(lia)) as H2.
    rewrite backward_succ in H2. change (flip (draw (S n)) x) with (xorb (draw (S n)) x) in H2. rewrite Hin, H1 in H2.
    destruct (draw (S n)), l; simpl in H2; congruence.
  - intros (N & H). exists N, (backward (fun i => flip (draw i)) N x). intros n Hn.
    induction Hn as [| n Hn IH]; [reflexivity |].
    rewrite backward_succ. change (flip (draw (S n)) x) with (xorb (draw (S n)) x). rewrite Hin, H, xorb_false_l by assumption.
    exact IH.
Qed.

(** The maps x + a (mod m), each of probability 1/m. *)
Definition shift (m a x : nat) : nat := ((x + a) mod m)%nat.
Definition uniform (m : nat) (_ : nat) : R := / INR m.

Lemma sum_seq_uniform : forall m c, (0 < m)%nat ->
  sum_letters (seq 0 m) (fun a => uniform m a * c) = c.
Proof.
  intros m c Hm.
  assert (H : forall n a, sum_letters (seq a n) (fun b => uniform m b * c) = INR n * (/ INR m * c)).
  { induction n; intros a; [simpl; ring |]. rewrite S_INR. simpl. rewrite IHn. unfold uniform. ring. }
  rewrite H. field. apply not_0_INR. lia.
Qed.

Lemma uniform_sums_to_1 : forall m, (0 < m)%nat -> sum_letters (seq 0 m) (uniform m) = 1.
Proof.
  intros m Hm. rewrite <- (sum_seq_uniform m 1 Hm). apply sum_letters_ext. intros. ring.
Qed.

Lemma sum_seq_snoc : forall n a (f : nat -> R),
  sum_letters (seq a (S n)) f = sum_letters (seq a n) f + f (a + n)%nat.
Proof.
  induction n; intros a f; [simpl; rewrite Nat.add_0_r; ring |].
  change (sum_letters (seq a (S (S n))) f) with (f a + sum_letters (seq (S a) (S n)) f).
  rewrite IHn. simpl. replace (S (a + n)) with (a + S n)%nat by lia. ring.
Qed.

Lemma sum_seq_from : forall n a (f : nat -> R),
  sum_letters (seq a n) f = sum_letters (seq 0 n) (fun i => f (a + i)%nat).
Proof.
  induction n; intros a f; [reflexivity |]. rewrite !sum_seq_snoc, IHn. reflexivity.
Qed.

(** Shifting permutes the residues. *)
Lemma sum_shifted : forall m y (phi : nat -> R), (0 < m)%nat ->
  sum_letters (seq 0 m) (fun a => phi (shift m a y)) = sum_letters (seq 0 m) phi.
Proof.
  intros m y phi Hm. induction y as [| y IH].
  - apply sum_letters_ext. intros a Ha. apply in_seq in Ha. unfold shift.
    rewrite Nat.mod_small by lia. reflexivity.
  - rewrite <- IH. destruct m as [| m]; [lia |].
    rewrite sum_seq_snoc. cbn [seq sum_letters]. rewrite (sum_seq_from m 1).
    rewrite (sum_letters_ext (seq 0 m) (fun a => phi (shift (S m) a (S y)))
      (fun i => phi (shift (S m) (1 + i) y))).
    2: { intros a _. unfold shift. f_equal. f_equal. lia. }
    replace (shift (S m) (0 + m) (S y)) with (shift (S m) 0 y); [ring |].
    unfold shift. rewrite Nat.add_0_r, Nat.add_0_l.
    replace (S y + m)%nat with (y + 1 * S m)%nat by lia. symmetry. apply Nat.mod_add. lia.
Qed.

(** Row 41, mod m: the forward law is uniform at every n >= 1, from every start ... *)
Theorem shift_law_uniform : forall m n (phi : nat -> R) x, (0 < m)%nat -> (1 <= n)%nat ->
  expectation (seq 0 m) (product_weight (uniform m)) n (fun w => phi (forward_word (shift m) w x))
  = sum_letters (seq 0 m) (fun a => uniform m a * phi a).
Proof.
  intros m [| n] phi x Hm Hn; [lia |]. unfold expectation. rewrite sum_words_last.
  rewrite <- sum_words_letters.
  rewrite (sum_words_ext (seq 0 m) n _ (fun w => product_weight (uniform m) w
    * sum_letters (seq 0 m) (fun a => uniform m a * phi a))).
  - apply (expectation_const (seq 0 m) (uniform m) (uniform_sums_to_1 m Hm)).
  - intros w _. rewrite <- (sum_shifted m (forward_word (shift m) w x) (fun a => uniform m a * phi a)) by exact Hm.
    rewrite <- sum_letters_scale. apply sum_letters_ext. intros a _.
    unfold forward_word. rewrite product_weight_app, rev_app_distr. simpl. unfold uniform. ring.
Qed.

Lemma backward_shift : forall m w x, (x < m)%nat ->
  backward_word (shift m) w x = ((x + list_sum w) mod m)%nat.
Proof.
  intros m w x Hx. unfold backward_word. induction w as [| a w IH]; simpl.
  - rewrite Nat.add_0_r. symmetry. apply Nat.mod_small. exact Hx.
  - rewrite IH. unfold shift. rewrite Nat.add_mod_idemp_l by lia. f_equal. lia.
Qed.

(** ... and the backward iterate moves at every step with probability 1 - 1/m. *)
Theorem shift_backward_moves : forall m n x, (0 < m)%nat -> (x < m)%nat ->
  expectation (seq 0 m) (product_weight (uniform m)) (S n) (fun w =>
    if Nat.eq_dec (backward_word (shift m) w x) (backward_word (shift m) (removelast w) x) then 0 else 1)
  = 1 - 1 / INR m.
Proof.
  intros m n x Hm Hx. unfold expectation. rewrite sum_words_last, <- sum_words_letters.
  rewrite (sum_words_ext (seq 0 m) n _ (fun w => product_weight (uniform m) w * (1 - 1 / INR m))).
  - apply (expectation_const (seq 0 m) (uniform m) (uniform_sums_to_1 m Hm)).
  - intros w _.
    rewrite (sum_letters_ext (seq 0 m) _
      (fun a => product_weight (uniform m) w * (uniform m a * (if Nat.eq_dec a 0 then 0 else 1)))).
    2: { intros a Ha. apply in_seq in Ha. rewrite product_weight_app, removelast_last, !backward_shift by exact Hx.
         rewrite list_sum_app. simpl. rewrite Nat.add_0_r, Nat.add_assoc.
         set (s := (x + list_sum w)%nat).
         assert (E : ((s + a) mod m = s mod m)%nat <-> a = O).
         { split; intros E; [| subst; rewrite Nat.add_0_r; reflexivity].
           pose proof (Nat.div_mod s m ltac:(lia)). pose proof (Nat.div_mod (s + a) m ltac:(lia)).
           assert (s / m <= (s + a) / m)%nat by (apply Nat.div_le_mono; lia).
           destruct (Nat.eq_dec ((s + a) / m) (s / m)); nia. }
         destruct (Nat.eq_dec ((s + a) mod m) (s mod m)), (Nat.eq_dec a 0);
           try (exfalso; tauto); ring. }
    rewrite sum_letters_scale. f_equal.
    destruct m as [| m]; [lia |]. cbn [seq sum_letters]. rewrite sum_seq_from.
    rewrite (sum_letters_ext (seq 0 m) _ (fun _ => / INR (S m) * 1)) by (intros; reflexivity).
    pose proof (sum_seq_uniform (S m) 1 Hm) as H. cbn [seq sum_letters] in H. rewrite sum_seq_from in H.
    unfold uniform in *. simpl Nat.eq_dec. cbv iota.
    replace (1 / INR (S m)) with (/ INR (S m)) by (unfold Rdiv; ring). lra.
Qed.
