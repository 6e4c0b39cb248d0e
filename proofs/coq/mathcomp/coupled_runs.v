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
