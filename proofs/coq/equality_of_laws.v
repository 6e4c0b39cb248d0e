(** Theorem 2.6 for finite families: forward and backward iterates have the same law at every n.

    A family is a finite list of letters with a map for each; a word of n letters is drawn with a
    weight P(word). The law of an iterate is given by its expectations E[phi], for every
    observable phi (indicators included); no observable distinguishes equal laws. Only the
    reversibility of P is used: P(reversed word) = P(word). *)

From Coq Require Import Reals Lra Lia List Permutation.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction.
Import ListNotations.
Local Open Scope R_scope.

(** Sum over the letters of a finite alphabet. *)
Fixpoint sum_letters {L : Type} (alphabet : list L) (f : L -> R) : R :=
  match alphabet with
  | [] => 0
  | a :: rest => f a + sum_letters rest f
  end.

(** Sum over all words of n letters. *)
Fixpoint sum_words {L : Type} (alphabet : list L) (n : nat) (F : list L -> R) : R :=
  match n with
  | O => F []
  | S n' => sum_letters alphabet (fun a => sum_words alphabet n' (fun w => F (a :: w)))
  end.

Section Sums.
  Context {L : Type} (alphabet : list L).

  Lemma sum_letters_ext : forall al (f g : L -> R), (forall a, In a al -> f a = g a) ->
    sum_letters al f = sum_letters al g.
  Proof.
    induction al as [| a al IH]; intros f g H; simpl; [reflexivity |].
    rewrite (H a) by (left; reflexivity). f_equal. apply IH. intros; apply H; right; assumption.
  Qed.

  Lemma sum_letters_plus : forall al (f g : L -> R),
    sum_letters al (fun a => f a + g a) = sum_letters al f + sum_letters al g.
  Proof. induction al; intros; simpl; [ring | rewrite IHal; ring]. Qed.

  Lemma sum_letters_scale : forall al c (f : L -> R),
    sum_letters al (fun a => c * f a) = c * sum_letters al f.
  Proof. induction al; intros; simpl; [ring | rewrite IHal; ring]. Qed.

  Lemma sum_letters_zero : forall al, sum_letters al (fun _ : L => 0) = 0.
  Proof. induction al; simpl; [reflexivity | rewrite IHal; ring]. Qed.

  Lemma sum_letters_swap : forall al al' (f : L -> L -> R),
    sum_letters al (fun a => sum_letters al' (fun b => f a b))
    = sum_letters al' (fun b => sum_letters al (fun a => f a b)).
  Proof.
    induction al; intros; simpl; [rewrite sum_letters_zero; reflexivity |].
    rewrite sum_letters_plus, IHal. reflexivity.
  Qed.

  Lemma sum_letters_le : forall al (f g : L -> R), (forall a, In a al -> f a <= g a) ->
    sum_letters al f <= sum_letters al g.
  Proof.
    induction al as [| a al IH]; intros f g H; simpl; [lra |].
    pose proof (H a (or_introl eq_refl)). pose proof (IH f g (fun b Hb => H b (or_intror Hb))). lra.
  Qed.

  (** A word over the alphabet, of n letters. *)
  Definition is_word (n : nat) (w : list L) : Prop :=
    length w = n /\ forall a, In a w -> In a alphabet.

  Lemma sum_words_ext : forall n F G, (forall w, is_word n w -> F w = G w) ->
    sum_words alphabet n F = sum_words alphabet n G.
  Proof.
    induction n; intros F G H; simpl.
    - apply H. split; [reflexivity | contradiction].
    - apply sum_letters_ext. intros a Ha. apply IHn. intros w [Hl Hw]. apply H.
      split; [simpl; congruence |]. intros b [-> | Hb]; auto.
  Qed.

  Lemma sum_words_le : forall n F G, (forall w, is_word n w -> F w <= G w) ->
    sum_words alphabet n F <= sum_words alphabet n G.
  Proof.
    induction n; intros F G H; simpl.
    - apply H. split; [reflexivity | contradiction].
    - apply sum_letters_le. intros a Ha. apply IHn. intros w [Hl Hw]. apply H.
      split; [simpl; congruence |]. intros b [-> | Hb]; auto.
  Qed.

  Lemma sum_words_plus : forall n F G,
    sum_words alphabet n (fun w => F w + G w) = sum_words alphabet n F + sum_words alphabet n G.
  Proof.
    induction n; intros; simpl; [reflexivity |].
    rewrite <- sum_letters_plus. apply sum_letters_ext. intros. apply IHn.
  Qed.

  Lemma sum_words_scale : forall n c F,
    sum_words alphabet n (fun w => c * F w) = c * sum_words alphabet n F.
  Proof.
    induction n; intros; simpl; [reflexivity |].
    rewrite <- sum_letters_scale. apply sum_letters_ext. intros. apply IHn.
  Qed.

  Lemma sum_words_letters : forall n (F : L -> list L -> R),
    sum_words alphabet n (fun w => sum_letters alphabet (fun a => F a w))
    = sum_letters alphabet (fun a => sum_words alphabet n (F a)).
  Proof.
    induction n; intros; simpl; [reflexivity |].
    rewrite sum_letters_swap. apply sum_letters_ext. intros a _.
    rewrite <- IHn. reflexivity.
  Qed.

  (** The last letter may be drawn first. *)
  Lemma sum_words_last : forall n F, sum_words alphabet (S n) F
    = sum_letters alphabet (fun a => sum_words alphabet n (fun w => F (w ++ [a]))).
  Proof.
    induction n; intros F; [reflexivity |].
    change (sum_words alphabet (S (S n)) F)
      with (sum_letters alphabet (fun b => sum_words alphabet (S n) (fun w => F (b :: w)))).
    rewrite (sum_letters_ext alphabet _ (fun b => sum_letters alphabet
      (fun a => sum_words alphabet n (fun w => F (b :: w ++ [a]))))).
    2: { intros b _. rewrite IHn. reflexivity. }
    rewrite sum_letters_swap. apply sum_letters_ext. intros a _. reflexivity.
  Qed.

  (** Reversal permutes the words. *)
  Lemma sum_words_rev : forall n F,
    sum_words alphabet n (fun w => F (rev w)) = sum_words alphabet n F.
  Proof.
    induction n; intros F; [reflexivity |].
    rewrite sum_words_last. simpl sum_words. apply sum_letters_ext. intros a _.
    rewrite <- (IHn (fun w => F (a :: w))). apply sum_words_ext. intros w _.
    rewrite rev_app_distr. reflexivity.
  Qed.

  (** A word of n + m letters is a word of n letters followed by one of m. *)
  Lemma sum_words_app : forall n m F, sum_words alphabet (n + m) F
    = sum_words alphabet n (fun u => sum_words alphabet m (fun v => F (u ++ v))).
  Proof.
    induction n; intros; simpl; [reflexivity |]. apply sum_letters_ext. intros. rewrite IHn.
    reflexivity.
  Qed.
End Sums.

(** ** Equality of the laws *)
Section Laws.
  Context {L X : Type} (alphabet : list L) (T : L -> X -> X).

  (** The backward iterate of the letters l_1 ... l_n: T_{l_1} ... T_{l_n} x. *)
  Definition backward_word (w : list L) (x : X) : X := compose (map T w) x.

  (** The forward iterate: T_{l_n} ... T_{l_1} x. *)
  Definition forward_word (w : list L) (x : X) : X := compose (map T (rev w)) x.

  (** E[F(l_1 ... l_n)] under the weights P. *)
  Definition expectation (P : list L -> R) (n : nat) (F : list L -> R) : R :=
    sum_words alphabet n (fun w => P w * F w).

  (** Words of n letters are reversible: P(l_n ... l_1) = P(l_1 ... l_n). *)
  Definition reversible (P : list L -> R) (n : nat) : Prop :=
    forall w, is_word alphabet n w -> P (rev w) = P w.

  Lemma is_word_rev : forall n w, is_word alphabet n w -> is_word alphabet n (rev w).
  Proof.
    intros n w [Hl Hw]. split; [rewrite rev_length; exact Hl |].
    intros a Ha. apply Hw. apply in_rev. exact Ha.
  Qed.

  (** Theorem 2.6, the identity of laws (rows 36 and 39): if words of n letters are reversible then
      E[phi(T_n...T_1 x)] = E[phi(T_1...T_n x)] for every observable phi. No contraction, no
      metric, no sign of the weights is used. *)
  Theorem equal_laws_if_reversible : forall P n (phi : X -> R) x, reversible P n ->
    expectation P n (fun w => phi (forward_word w x))
    = expectation P n (fun w => phi (backward_word w x)).
  Proof.
    intros P n phi x HP. unfold expectation, forward_word, backward_word.
    rewrite <- (sum_words_rev alphabet n (fun w => P w * phi (compose (map T w) x))).
    apply sum_words_ext. intros w Hw. rewrite HP by assumption. reflexivity.
  Qed.

  (** Independent letters with probabilities p: P(l_1 ... l_n) = p(l_1) ... p(l_n). *)
  Fixpoint product_weight (p : L -> R) (w : list L) : R :=
    match w with
    | [] => 1
    | a :: w' => p a * product_weight p w'
    end.

  Lemma product_weight_app : forall p u v,
    product_weight p (u ++ v) = product_weight p u * product_weight p v.
  Proof. induction u; intros; simpl; [ring | rewrite IHu; ring]. Qed.

  Lemma product_weight_rev : forall p w, product_weight p (rev w) = product_weight p w.
  Proof.
    induction w; simpl; [reflexivity |]. rewrite product_weight_app, IHw. simpl. ring.
  Qed.

  (** Theorem 2.6, independent identically distributed maps (row 36): equal laws at every n, with
      any weights. *)
  Theorem equal_laws_iid : forall p n (phi : X -> R) x,
    expectation (product_weight p) n (fun w => phi (forward_word w x))
    = expectation (product_weight p) n (fun w => phi (backward_word w x)).
  Proof.
    intros. apply equal_laws_if_reversible. intros w _. apply product_weight_rev.
  Qed.

  (** Row 39: exchangeable words (every permutation has the same weight) are reversible. *)
  Theorem equal_laws_exchangeable : forall P n (phi : X -> R) x,
    (forall v w, Permutation v w -> P v = P w) ->
    expectation P n (fun w => phi (forward_word w x))
    = expectation P n (fun w => phi (backward_word w x)).
  Proof.
    intros P n phi x HP. apply equal_laws_if_reversible. intros w _. apply HP.
    apply Permutation_sym, Permutation_rev.
  Qed.

  (** Row 39: a stationary Markov chain of letters, pi(l_1) Q(l_1, l_2) Q(l_2, l_3) .... *)
  Fixpoint chain_weight (Q : L -> L -> R) (a : L) (w : list L) : R :=
    match w with
    | [] => 1
    | b :: w' => Q a b * chain_weight Q b w'
    end.

  Definition markov_weight (pi : L -> R) (Q : L -> L -> R) (w : list L) : R :=
    match w with
    | [] => 1
    | a :: w' => pi a * chain_weight Q a w'
    end.

  Lemma markov_weight_snoc : forall pi Q w a b,
    markov_weight pi Q (w ++ [a; b]) = markov_weight pi Q (w ++ [a]) * Q a b.
  Proof.
    assert (H : forall Q w c a b, chain_weight Q c (w ++ [a; b]) = chain_weight Q c (w ++ [a]) * Q a b).
    { intros Q w. induction w; intros; simpl; [ring | rewrite IHw; ring]. }
    intros pi Q [| c w] a b; simpl; [ring | rewrite H; ring].
  Qed.

  (** Row 39: a chain in detailed balance, pi(a) Q(a, b) = pi(b) Q(b, a), is reversible. *)
  Theorem equal_laws_reversible_markov : forall pi Q n (phi : X -> R) x,
    (forall a b, pi a * Q a b = pi b * Q b a) ->
    expectation (markov_weight pi Q) n (fun w => phi (forward_word w x))
    = expectation (markov_weight pi Q) n (fun w => phi (backward_word w x)).
  Proof.
    intros pi Q n phi x HB. apply equal_laws_if_reversible. intros w _.
    (* the weight of b followed by the reversed rest, letter by letter *)
    assert (H : forall w b, markov_weight pi Q (rev w ++ [b]) = pi b * chain_weight Q b w).
    { clear w. intros w. induction w as [| a w IH]; intros b; simpl; [ring |].
      rewrite <- app_assoc. simpl. rewrite markov_weight_snoc, IH.
      transitivity ((pi a * Q a b) * chain_weight Q a w); [ring |]. rewrite HB. ring. }
    destruct w as [| a w]; [reflexivity |]. simpl. apply H.
  Qed.
End Laws.

(** ** Geometric convergence of the law *)
Section Rate.
  Context {L : Type} {X : MetricSpace} (alphabet : list L) (T : L -> X -> X) (p : L -> R).
  Hypothesis p_nonneg : forall a, In a alphabet -> 0 <= p a.
  Hypothesis p_sums_to_1 : sum_letters alphabet p = 1.

  Let E (n : nat) (F : list L -> R) : R := expectation alphabet (product_weight p) n F.

  Lemma product_weight_nonneg : forall n w, is_word alphabet n w -> 0 <= product_weight p w.
  Proof.
    intros n w [_ Hw]. clear n. induction w; simpl; [lra |].
    apply Rmult_le_pos; [apply p_nonneg, Hw; left; reflexivity |].
    apply IHw. intros b Hb; apply Hw; right; exact Hb.
  Qed.

  Lemma expectation_const : forall n c, E n (fun _ => c) = c.
  Proof.
    unfold E, expectation. induction n; intros c; simpl; [ring |].
    rewrite (sum_letters_ext alphabet _ (fun a => c * p a)).
    - rewrite sum_letters_scale, p_sums_to_1. ring.
    - intros a _. rewrite (sum_words_ext alphabet n _ (fun w => p a * (product_weight p w * c)))
        by (intros; ring).
      rewrite sum_words_scale, IHn. ring.
  Qed.

  Lemma expectation_minus : forall n F G, E n (fun w => F w - G w) = E n F - E n G.
  Proof.
    intros. unfold E, expectation.
    rewrite (sum_words_ext alphabet n _
      (fun w => product_weight p w * F w + (-1) * (product_weight p w * G w))) by (intros; ring).
    rewrite sum_words_plus, sum_words_scale. ring.
  Qed.

  Lemma expectation_bounded : forall n F c, (forall w, is_word alphabet n w -> Rabs (F w) <= c) ->
    Rabs (E n F) <= c.
  Proof.
    intros n F c H.
    assert (Hb : forall G, (forall w, is_word alphabet n w -> G w <= c) -> E n G <= c).
    { intros G HG. eapply Rle_trans; [| right; apply (expectation_const n c)]. apply sum_words_le. intros w Hw.
      apply Rmult_le_compat_l; [apply (product_weight_nonneg n); exact Hw | auto]. }
    apply Rabs_le. split; [| apply Hb; intros; eapply Rle_trans; [apply Rle_abs | auto]].
    enough (- E n F <= c) by lra.
    replace (- E n F) with (E n (fun w => 0 - F w)) by (rewrite expectation_minus, expectation_const; ring).
    apply Hb. intros w Hw. specialize (H w Hw). pose proof (Rle_abs (- F w)) as Hn.
    rewrite Rabs_Ropp in Hn. lra.
  Qed.

  (** Letters after the first n do not change an expectation over the first n. *)
  Lemma expectation_prefix : forall n m F, E (n + m) (fun w => F (firstn n w)) = E n F.
  Proof.
    intros n m F. unfold E, expectation. rewrite sum_words_app. apply sum_words_ext.
    intros u [Hl _].
    rewrite (sum_words_ext alphabet m _ (fun v => product_weight p u * F u * (product_weight p v * 1))).
    - rewrite sum_words_scale. pose proof (expectation_const m 1) as H.
      unfold E, expectation in H. rewrite H. ring.
    - intros v _. rewrite product_weight_app, <- Hl, firstn_app, firstn_all, Nat.sub_diag. simpl.
      rewrite app_nil_r. ring.
  Qed.

  Variables (k D Lip : R) (x0 : X) (phi : X -> R).
  Hypothesis k_range : 0 <= k < 1.
  Hypothesis T_lipschitz : forall a, In a alphabet -> lipschitz k (T a).
  Hypothesis T_displacement : forall a, In a alphabet -> distance x0 (T a x0) <= D.
  Hypothesis D_nonneg : 0 <= D.
  Hypothesis Lip_nonneg : 0 <= Lip.
  Hypothesis phi_lipschitz : forall x y, Rabs (phi x - phi y) <= Lip * distance x y.

  Lemma is_word_admissible : forall n w, is_word alphabet n w -> admissible k D x0 (map T w).
  Proof.
    intros n w [_ Hw] f Hf. apply in_map_iff in Hf. destruct Hf as (a & <- & Ha). auto.
  Qed.

  (** |phi(T_1...T_n x0) - phi(T_1...T_{n+m} x0)| <= Lip D/(1-k) k^n for every single word. *)
  Lemma word_observable_bound : forall n m w, is_word alphabet (n + m) w ->
    Rabs (phi (backward_word T w x0) - phi (backward_word T (firstn n w) x0)) <= Lip * (D / (1 - k)) * k ^ n.
  Proof.
    intros n m w Hw. eapply Rle_trans; [apply phi_lipschitz |]. rewrite Rmult_assoc.
    apply Rmult_le_compat_l; [exact Lip_nonneg |].
    unfold backward_word. rewrite <- (firstn_skipn n w) at 1. rewrite map_app, compose_app.
    assert (Hlen : length (map T (firstn n w)) = n).
    { rewrite map_length, firstn_length. destruct Hw. lia. }
    destruct Hw as [Hl Hin].
    assert (Hu : is_word alphabet n (firstn n w)).
    { split; [rewrite map_length in Hlen; exact Hlen |]. intros a Ha. apply Hin.
      rewrite <- (firstn_skipn n w). apply in_or_app. left. exact Ha. }
    assert (Hv : is_word alphabet (length (skipn n w)) (skipn n w)).
    { split; [reflexivity |]. intros a Ha. apply Hin.
      rewrite <- (firstn_skipn n w). apply in_or_app. right. exact Ha. }
    eapply Rle_trans; [apply (word_lipschitz k D x0 k_range); eapply is_word_admissible; exact Hu |].
    rewrite Hlen, Rmult_comm. apply Rmult_le_compat_r; [apply pow_le; lra |].
    rewrite distance_sym. apply (word_displacement k D x0 k_range D_nonneg).
    eapply is_word_admissible. exact Hv.
  Qed.

  (** Theorem 2.6 with a rate: there is a number mu(phi), the expectation of phi under the limit
      law, with |E[phi(T_n...T_1 x0)] - mu(phi)| <= Lip D/(1-k) k^n for forward iterates, and the
      same for backward iterates. *)
  Theorem law_converges_geometrically : exists mu : R, forall n,
    Rabs (E n (fun w => phi (forward_word T w x0)) - mu) <= Lip * (D / (1 - k)) * k ^ n /\
    Rabs (E n (fun w => phi (backward_word T w x0)) - mu) <= Lip * (D / (1 - k)) * k ^ n.
  Proof.
    set (u := fun n => E n (fun w => phi (backward_word T w x0))).
    assert (Htail : forall n m, (n <= m)%nat -> distance (u n) (u m) <= Lip * (D / (1 - k)) * k ^ n).
    { intros n m H. replace m with (n + (m - n))%nat by lia. simpl. rewrite Rabs_minus_sym.
      unfold u. rewrite <- (expectation_prefix n (m - n)), <- expectation_minus.
      apply expectation_bounded. intros w Hw. apply (word_observable_bound n (m - n)). exact Hw. }
    destruct (real_line_complete u) as [mu Hmu].
    - apply (cauchy_of_tail_bound (X := real_line) u _ Htail). apply geometric_vanishes. exact k_range.
    - exists mu. intros n.
      assert (Hb : Rabs (u n - mu) <= Lip * (D / (1 - k)) * k ^ n).
      { apply (distance_limit_le (X := real_line) u mu (u n) _ n Hmu). intros m Hm. apply Htail. exact Hm. }
      split; [| exact Hb]. unfold E. rewrite equal_laws_iid. exact Hb.
  Qed.
End Rate.

(** The limit law is stationary (Theorem 2.6; here every map is continuous): mu(phi) is the
    weighted mean of the mu(phi o T_a). *)
Theorem limit_law_is_stationary : forall {L X : Type} (alphabet : list L) (T : L -> X -> X) p x0
  (phi : X -> R) mu (mu_after : L -> R),
  Un_cv (fun n => expectation alphabet (product_weight p) n (fun w => phi (forward_word T w x0))) mu ->
  (forall a, In a alphabet -> Un_cv (fun n => expectation alphabet (product_weight p) n
                                      (fun w => phi (T a (forward_word T w x0)))) (mu_after a)) ->
  mu = sum_letters alphabet (fun a => p a * mu_after a).
Proof.
  intros L X alphabet T p x0 phi mu mu_after Hmu Hafter.
  set (u := fun n => expectation alphabet (product_weight p) n (fun w => phi (forward_word T w x0))).
  assert (Hstep : forall n, u (S n) = sum_letters alphabet (fun a => p a *
    expectation alphabet (product_weight p) n (fun w => phi (T a (forward_word T w x0))))).
  { intros n. unfold u, expectation. rewrite sum_words_last. apply sum_letters_ext. intros a _.
    rewrite <- sum_words_scale. apply sum_words_ext. intros w _.
    unfold forward_word. rewrite product_weight_app, rev_app_distr. simpl. ring. }
  apply (UL_sequence (fun n => u (S n))).
  - intros e He. destruct (Hmu e He) as [N HN]. exists N. intros n Hn. apply HN. lia.
  - apply (Un_cv_ext (fun n => sum_letters alphabet (fun a => p a *
      expectation alphabet (product_weight p) n (fun w => phi (T a (forward_word T w x0)))))).
    { intros n. symmetry. apply Hstep. }
    clear Hstep Hmu u.
    (* a finite sum of limits *)
    assert (Hsum : forall al (f : L -> nat -> R) (l : L -> R),
      (forall a, In a al -> Un_cv (f a) (l a)) ->
      Un_cv (fun n => sum_letters al (fun a => p a * f a n)) (sum_letters al (fun a => p a * l a))).
    { induction al as [| a al IH]; intros f l Hf; simpl.
      - intros e He. exists 0%nat. intros. unfold R_dist. rewrite Rminus_diag_eq, Rabs_R0; auto.
      - apply CV_plus.
        + apply CV_mult; [| apply Hf; left; reflexivity].
          intros e He. exists 0%nat. intros. unfold R_dist. rewrite Rminus_diag_eq, Rabs_R0; auto.
        + apply IH. intros b Hb. apply Hf. right. exact Hb. }
    apply Hsum. exact Hafter.
Qed.
