(** The law of backward increments and tails at forward cost, for random operators on any topological
    space with its Borel sets.

    Reversing the first n letters turns the pair (theta_n^B, theta_m^B) into two forward runs of n
    steps with the same maps, from theta_0 and from X = T_{n+1} ... T_m theta_0. So the two pairs have
    one law as soon as that reversal does not change the law of the letters: for independent,
    identically distributed letters, and for exchangeable ones. *)

From mathcomp Require Import all_ssreflect ssralg ssrnum order interval fingroup perm.
From mathcomp.classical Require Import boolp classical_sets functions mathcomp_extra.
From mathcomp.analysis Require Import reals ereal signed topology normedtype sequences measure
  lebesgue_measure lebesgue_integral.
From TrainingInReverse.mathcomp Require Import general_equality_of_laws.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.
Local Open Scope ereal_scope.

Section CoupledRuns.
Context d d' (Omega : measurableType d') (E : measurableType d) (X : topologicalType)
  (R : realType).
Variables (P : {measure set Omega -> \bar R}) (xi : nat -> Omega -> E).
Variables (f : E * borel X -> borel X) (theta0 : borel X).
Hypothesis P_setT : P setT = 1.
Hypothesis mxi : forall i, measurable_fun setT (xi i).
Hypothesis mf : measurable_fun setT f.

(** Reversing the first n letters does not change the joint law of all of them. *)
Definition reversible_up_to (n : nat) := forall C : set (letters E), measurable C ->
  P (reversed xi n @^-1` C) = P (in_order xi @^-1` C).

(** X = T_{n+1} ... T_{n+k} theta_0, made from the next maps. *)
Definition later (n k : nat) (x : Omega) : borel X := word f k (fun i => xi (n + i)%N x) theta0.

Lemma word_add n k (w : nat -> E) y :
  word f (n + k) w y = word f n w (word f k (fun i => w (n + i)%N) y).
Proof.
elim: n w => [|n IH] w; first by [].
by rewrite addSn /= IH.
Qed.

Lemma word_reversed n y x : word f n (reversed xi n x) y = forward xi f y n x.
Proof. by rewrite forward_word. Qed.

Lemma word_after_reversed n k x :
  word f k (fun i => reversed xi n x (n + i)%N) theta0 = later n k x.
Proof.
apply: word_prefix => i _; rewrite /reversed /flip ifN//.
by rewrite -leqNgt leq_addr.
Qed.

Let pair n m (w : letters E) : borel X * borel X := (word f n w theta0, word f m w theta0).

Lemma measurable_pair n m : measurable_fun setT (pair n m).
Proof. by apply/prod_measurable_funP; split; exact: measurable_word. Qed.

(** Row 77: (theta_n^B, theta_{n+k}^B) has the law of (T_n ... T_1 theta_0, T_n ... T_1 X) with
    X = T_{n+1} ... T_{n+k} theta_0, if reversing the first n letters does not change their law. *)
Theorem backward_pair_law n k (B : set (borel X * borel X)) : reversible_up_to n -> measurable B ->
  P [set x | B (backward xi f theta0 n x, backward xi f theta0 (n + k) x)]
  = P [set x | B (forward xi f theta0 n x, forward xi f (later n k x) n x)].
Proof.
move=> rev mB.
have mC : measurable (pair n (n + k) @^-1` B).
  by rewrite -[X in measurable X]setTI; exact: measurable_pair.
rewrite (_ : [set x | _] = in_order xi @^-1` (pair n (n + k) @^-1` B))// -rev//.
congr (P _); apply/seteqP; split=> x /=;
  by rewrite /pair word_add !word_reversed word_after_reversed.
Qed.

(** Row 77, where only whole words are reversible: reversing all m letters, the pair has the law of
    (T_m ... T_{m-n+1} theta_0, T_m ... T_1 theta_0), n <= m. *)
Definition last_maps (m n : nat) (x : Omega) : borel X :=
  forward (fun i => xi (m - n + i)%N) f theta0 n x.

Theorem backward_pair_law_whole_word n m (B : set (borel X * borel X)) : (n <= m)%N ->
  reversible_up_to m -> measurable B ->
  P [set x | B (backward xi f theta0 n x, backward xi f theta0 m x)]
  = P [set x | B (last_maps m n x, forward xi f theta0 m x)].
Proof.
move=> nm rev mB.
have mC : measurable (pair n m @^-1` B).
  by rewrite -[X in measurable X]setTI; exact: measurable_pair.
rewrite (_ : [set x | _] = in_order xi @^-1` (pair n m @^-1` B))// -rev//.
have H x : word f n (reversed xi m x) theta0 = last_maps m n x.
  rewrite /last_maps forward_word; apply: word_prefix => i ni.
  rewrite /reversed /flip ni (leq_trans ni nm); congr (xi _ x).
  rewrite -!subn1 -!subnDA -(subnK nm) addnK addnBA ?add1n//.
by congr (P _); apply/seteqP; split=> x /=; rewrite /pair word_reversed H.
Qed.

(** Increments: their laws agree for every measurable function of the pair, such as a distance. *)
Corollary increment_law n d2 (Y : measurableType d2) (g : borel X * borel X -> Y) (B : set Y) :
  reversible_up_to n -> measurable_fun setT g -> measurable B ->
  P [set x | B (g (backward xi f theta0 n x, backward xi f theta0 n.+1 x))]
  = P [set x | B (g (forward xi f theta0 n x, forward xi f (f (xi n x, theta0)) n x))].
Proof.
move=> rev mg mB.
have mC : measurable (g @^-1` B) by rewrite -[X in measurable X]setTI; exact: mg.
have := backward_pair_law 1 rev mC; rewrite addn1.
have E1 : later n 1 = fun x => f (xi n x, theta0) by apply/funext => x; rewrite /later /= addn0.
by rewrite E1.
Qed.

(** Row 73: at one step, (forward, backward) is an exchangeable pair. *)
Theorem iterates_exchangeable n (B : set (borel X * borel X)) : reversible_up_to n -> measurable B ->
  P [set x | B (forward xi f theta0 n x, backward xi f theta0 n x)]
  = P [set x | B (backward xi f theta0 n x, forward xi f theta0 n x)].
Proof.
move=> rev mB.
pose flipped (w : letters E) : letters E := fun i => (w : nat -> E) (flip n i).
have mflipped : measurable_fun setT flipped.
  by apply: measurable_into_letters => i; exact: measurable_letter.
pose both (w : letters E) : borel X * borel X := (word f n (flipped w) theta0, word f n w theta0).
have mboth : measurable_fun setT both.
  apply/prod_measurable_funP; split; last exact: measurable_word.
  by apply: (measurable_fun_comp (E := setT) (f := fun w : letters E => word f n w theta0)) => //;
    exact: measurable_word.
have mC : measurable (both @^-1` B) by rewrite -[X in measurable X]setTI; exact: mboth.
rewrite (_ : [set x | _] = in_order xi @^-1` (both @^-1` B)); last first.
  by apply/seteqP; split=> x /=; rewrite forward_word.
rewrite -rev//; congr (P _); apply/seteqP; split=> x /=;
  rewrite /both word_reversed (word_prefix f (w' := fun i => xi i x))// => i ni;
  by rewrite /flipped /reversed flipK.
Qed.

(** Independent and identically distributed letters are reversible up to every n. *)
Theorem iid_reversible n :
  (forall m (A : nat -> set E), (forall i, measurable (A i)) ->
     P [set x | forall i, (i < m)%N -> A i (xi i x)]
     = (\prod_(i < m) fine (P (xi 0%N @^-1` A i)))%R%:E) ->
  reversible_up_to n.
Proof. by move=> iid C mC; exact: (reversed_law P_setT mxi iid n mC). Qed.

(** So are exchangeable letters: a permutation of the first m letters does not change their law. *)
Definition exchangeable := forall m (s : 'S_m) (A : nat -> set E), (forall i, measurable (A i)) ->
  P [set x | forall i : 'I_m, A i (xi (s i) x)] = P [set x | forall i : 'I_m, A i (xi i x)].

Theorem exchangeable_reversible n : exchangeable -> reversible_up_to n.
Proof.
move=> exch C mC.
apply: (@measure_unique _ R (letters E) (@cylinders _ E) (fun=> setT) erefl _ _ _
  [the measure _ _ of pushforward P (measurable_reversed mxi n)]
  [the measure _ _ of pushforward P (measurable_in_order mxi)]) => //.
- exact: cylinders_setI.
- by move=> _; exact: cylinders_setT.
- by rewrite bigcup_const//; exists 0%N.
- move=> _ [m [A [mA Am ->]]]; rewrite /= /pushforward.
  pose M := maxn n m; have nM : (n <= M)%N by rewrite leq_maxl.
  have trunc (s : nat -> nat) : [set x | forall i, A i (xi (s i) x)]
      = [set x | forall i : 'I_M, A i (xi (s i) x)].
    apply/seteqP; split=> x /= H i; first exact: H.
    have [iM|] := ltnP i M; first exact: (H (Ordinal iM)).
    by rewrite geq_max => /andP[_ mi]; rewrite Am.
  rewrite /cylinder /preimage /= /reversed /in_order (trunc (flip n)) (trunc id).
  pose s (i : 'I_M) : 'I_M := Ordinal (flip_lt nM (ltn_ord i)).
  have sK : involutive s by move=> i; apply: val_inj; rewrite /= flipK.
  rewrite -(exch M (perm (inv_inj sK)) A mA).
  by congr (P _); apply/seteqP; split=> x /= H i; have := H i; rewrite permE.
- by move=> _; rewrite /= /pushforward preimage_setT P_setT ltry.
Qed.
End CoupledRuns.

(** ** Maps that know their position *)
Section Positions.
Context d d' (Omega : measurableType d') (E : measurableType d) (X : topologicalType)
  (R : realType).
Variables (P : {measure set Omega -> \bar R}) (xi : nat -> Omega -> E).
Variables (f : nat -> E * borel X -> borel X) (theta0 : borel X).
Hypothesis mf : forall t, measurable_fun setT (f t).

(** The map f t knows its position t: the innermost of a word, after s earlier steps, has t = s + 1. *)
Fixpoint positioned_word (s n : nat) (w : nat -> E) (x : borel X) : borel X :=
  if n is n'.+1 then f (s + n)%N (w 0%N, positioned_word s n' (fun i => w i.+1) x) else x.

(** The forward run of n steps at t = s + 1, ..., s + n. *)
Fixpoint positioned_forward (s n : nat) (y : borel X) (x : Omega) : borel X :=
  if n is n'.+1 then f (s + n)%N (xi n' x, positioned_forward s n' y x) else y.

Lemma measurable_positioned_word s n y : measurable_fun setT (fun w : letters E => positioned_word s n w y).
Proof.
elim: n => [|n IH] /=; first exact: measurable_fun_cst.
apply: (measurable_fun_comp (E := setT) (f := f (s + n.+1)%N) (g := fun w : letters E =>
  (w 0%N, positioned_word s n (fun i => w i.+1) y))) => //.
apply/prod_measurable_funP; split; first exact: measurable_letter.
apply: (measurable_fun_comp (E := setT) (f := fun w : letters E => positioned_word s n w y)
  (g := fun w : letters E => (fun i => w i.+1) : letters E)) => //.
by apply: measurable_into_letters => i; exact: measurable_letter.
Qed.

Lemma positioned_word_prefix s n (w w' : nat -> E) y :
  (forall i, (i < n)%N -> w i = w' i) -> positioned_word s n w y = positioned_word s n w' y.
Proof.
elim: n w w' => [//|n IH] w w' H /=; rewrite H//; congr (f _ (_, _)).
by apply: IH => i ni; exact: H.
Qed.

Lemma positioned_word_add s n k (w : nat -> E) y : positioned_word s (n + k) w y
  = positioned_word (s + k) n w (positioned_word s k (fun i => w (n + i)%N) y).
Proof.
elim: n w => [|n IH] w; first by [].
by rewrite addSn /= IH !addnS [(n + k)%N]addnC addnA.
Qed.

Lemma positioned_word_reversed s n y x :
  positioned_word s n (reversed xi n x) y = positioned_forward s n y x.
Proof.
elim: n => [//|n IH] /=; rewrite -IH /reversed {1}/flip /= subn0; congr (f _ (_, _)).
apply: positioned_word_prefix => i ni; rewrite /flip ni ltnS ni /=; congr (xi _ x).
by rewrite -subn1 -subnDA add1n.
Qed.

(** Row 77 with positions: the first run has t = 1, ..., n, the second the same letters at
    t = k + 1, ..., k + n, after the k later letters at t = 1, ..., k. *)
Theorem backward_pair_with_positions n k (B : set (borel X * borel X)) :
  reversible_up_to P xi n -> measurable B ->
  P [set x | B (positioned_word 0 n (fun i => xi i x) theta0, positioned_word 0 (n + k) (fun i => xi i x) theta0)]
  = P [set x | B (positioned_forward 0 n theta0 x,
      positioned_forward k n (positioned_word 0 k (fun i => xi (n + i)%N x) theta0) x)].
Proof.
move=> rev mB.
pose pair (w : letters E) : borel X * borel X := (positioned_word 0 n w theta0, positioned_word 0 (n + k) w theta0).
have mC : measurable (pair @^-1` B).
  rewrite -[X in measurable X]setTI.
  suff : measurable_fun setT pair by exact.
  by apply/prod_measurable_funP; split; exact: measurable_positioned_word.
rewrite (_ : [set x | _] = in_order xi @^-1` (pair @^-1` B))// -rev//.
have H x : positioned_word 0 k (fun i => reversed xi n x (n + i)%N) theta0
    = positioned_word 0 k (fun i => xi (n + i)%N x) theta0.
  by apply: positioned_word_prefix => i _; rewrite /reversed /flip ifN// -leqNgt leq_addr.
by congr (P _); apply/seteqP; split=> x /=; rewrite /pair positioned_word_add !positioned_word_reversed H.
Qed.
End Positions.
