(** Theorem 2.6 for independent, identically distributed random operators on any topological
    space, with weak convergence (MathComp-Analysis 0.6).

    Omega carries a probability measure P; the letters xi_0, xi_1, ... are independent random
    elements of a measurable space E with one law; the random operator is x |-> f(letter, x),
    jointly measurable for the Borel sets of X. The paper's T_i is f(xi_{i-1}, .). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum order interval.
From mathcomp.classical Require Import boolp classical_sets functions mathcomp_extra.
From mathcomp.analysis Require Import reals ereal signed topology normedtype sequences measure
  lebesgue_measure lebesgue_integral.

Set Implicit Arguments.
Unset Strict Implicit.
Unset Printing Implicit Defensive.
Import Order.TTheory GRing.Theory Num.Theory numFieldNormedType.Exports.
Local Open Scope classical_set_scope.
Local Open Scope ring_scope.

(** ** Sequences of letters and their sigma-algebra *)
Section Sequences.
Context d (E : measurableType d).

(** The cylinders {w | w_i in A_i for all i}, with all but finitely many A_i the whole space. *)
Definition cylinder (A : nat -> set E) : set (nat -> E) := [set w | forall i, A i (w i)].
Definition cylinders : set (set (nat -> E)) :=
  [set C | exists n (A : nat -> set E), [/\ forall i, measurable (A i),
     forall i, (n <= i)%N -> A i = setT & C = cylinder A]].

Definition letters := salgebraType cylinders.

Lemma cylinders_setI : setI_closed cylinders.
Proof.
move=> _ _ [n [A [mA An ->]]] [m [B [mB Bm ->]]].
exists (maxn n m), (fun i => A i `&` B i); split.
- by move=> i; exact: measurableI.
- by move=> i; rewrite geq_max => /andP[ni mi]; rewrite An// Bm// setIT.
- apply/seteqP; split=> w /=; first by move=> [wA wB] i; split; [exact: wA|exact: wB].
  by move=> wAB; split=> i; have [] := wAB i.
Qed.

Lemma cylinders_setT : cylinders setT.
Proof.
exists 0%N, (fun=> setT); split=> //.
by apply/seteqP; split.
Qed.

Lemma measurable_into_letters d' (Omega : measurableType d') (g : Omega -> letters) :
  (forall i, measurable_fun setT (fun x => (g x : nat -> E) i)) -> measurable_fun setT g.
Proof.
move=> mg; apply: (@measurability _ _ _ _ setT g cylinders erefl).
move=> _ [_ [n [A [mA An ->]]] <-].
have -> : setT `&` g @^-1` cylinder A = \bigcap_i ((fun x => (g x : nat -> E) i) @^-1` A i).
  by rewrite setTI; apply/seteqP; split=> x /= H; [move=> i _; exact: H|move=> i; exact: (H i)].
apply: bigcapT_measurable => i; rewrite -[X in measurable X]setTI; exact: mg.
Qed.

Lemma measurable_letter i : measurable_fun setT (fun w : letters => (w : nat -> E) i).
Proof.
move=> _ A mA; rewrite setTI; apply: sub_sigma_algebra.
exists i.+1, (fun j => if j == i then A else setT); split.
- by move=> j; case: ifP.
- by move=> j ij; rewrite gtn_eqF.
- apply/seteqP; split=> w /=; first by move=> Aw j; case: eqP => // ->.
  by move=> /(_ i); rewrite eqxx.
Qed.
End Sequences.

(** ** Words of random operators *)
Section Words.
Context d (E : measurableType d) (X : topologicalType).

(** X with its Borel sets. *)
Definition borel := salgebraType (@open X).

Variable f : E * borel -> borel.
Hypothesis mf : measurable_fun setT f.

(** word n w x = f(w_0, f(w_1, ... f(w_{n-1}, x))). *)
Fixpoint word (n : nat) (w : nat -> E) (x : borel) : borel :=
  if n is n'.+1 then f (w 0%N, word n' (fun i => w i.+1) x) else x.

Lemma measurable_word n x : measurable_fun setT (fun w : letters E => word n w x).
Proof.
elim: n => [|n IH] /=; first exact: measurable_fun_cst.
apply: (measurable_fun_comp (E := setT) (f := f) (g := fun w : letters E =>
  (w 0%N, word n (fun i => w i.+1) x))) => //.
apply/prod_measurable_funP; split; first exact: measurable_letter.
apply: (measurable_fun_comp (E := setT) (f := fun w : letters E => word n w x)
  (g := fun w : letters E => (fun i => w i.+1) : letters E)) => //.
by apply: measurable_into_letters => i; exact: measurable_letter.
Qed.
End Words.

(** ** Equality of laws *)
Section Laws.
Local Open Scope ereal_scope.
Context d d' (Omega : measurableType d') (E : measurableType d) (X : topologicalType)
  (R : realType).
Variables (P : {measure set Omega -> \bar R}) (xi : nat -> Omega -> E).
Hypothesis P_setT : P setT = 1.
Hypothesis mxi : forall i, measurable_fun setT (xi i).

(** Independent and identically distributed:
    P(xi_0 in A_0, ..., xi_{n-1} in A_{n-1}) = prod_i P(xi_0 in A_i). *)
Hypothesis iid : forall n (A : nat -> set E), (forall i, measurable (A i)) ->
  P [set x | forall i, (i < n)%N -> A i (xi i x)]
  = (\prod_(i < n) fine (P (xi 0%N @^-1` A i)))%R%:E.

(** The letters in their order, and with the first n reversed. *)
Definition flip (n i : nat) : nat := if (i < n)%N then (n.-1 - i)%N else i.
Definition in_order (x : Omega) : letters E := fun i => xi i x.
Definition reversed (n : nat) (x : Omega) : letters E := fun i => xi (flip n i) x.

Lemma measurable_in_order : measurable_fun setT in_order.
Proof. exact: measurable_into_letters. Qed.

Lemma measurable_reversed n : measurable_fun setT (reversed n).
Proof. by apply: measurable_into_letters => i; exact: mxi. Qed.

Lemma flip_lt n m i : (n <= m)%N -> (i < m)%N -> (flip n i < m)%N.
Proof.
move=> nm im; rewrite /flip; case: ifPn => // ni.
by rewrite (leq_trans _ nm)// (leq_ltn_trans (leq_subr _ _))// prednK// (leq_ltn_trans _ ni).
Qed.

Lemma flipK n : involutive (flip n).
Proof.
move=> i; rewrite {2}/flip; case: ifPn => ni; rewrite /flip; last by rewrite (negbTE ni).
have n0 : (0 < n)%N by rewrite (leq_ltn_trans _ ni).
by rewrite (leq_ltn_trans (leq_subr _ _)) ?prednK// subKn// -ltnS prednK.
Qed.

(** Reversing the first n letters does not change their joint law. *)
Lemma reversed_law n (C : set (letters E)) : measurable C ->
  P (reversed n @^-1` C) = P (in_order @^-1` C).
Proof.
move=> mC.
apply: (@measure_unique _ R (letters E) (@cylinders _ E) (fun=> setT) erefl _ _ _
  [the measure _ _ of pushforward P (measurable_reversed n)]
  [the measure _ _ of pushforward P measurable_in_order]) => //.
- exact: cylinders_setI.
- by move=> _; exact: cylinders_setT.
- by rewrite bigcup_const//; exists 0%N.
- move=> _ [m [A [mA Am ->]]]; rewrite /= /pushforward.
  pose M := maxn n m.
  have trunc (s : nat -> nat) : [set x | forall i, A i (xi (s i) x)]
      = [set x | forall i, (i < M)%N -> A i (xi (s i) x)].
    apply/seteqP; split=> x /= H i; first by move=> _; exact: H.
    have [iM|] := ltnP i M; first exact: H.
    by rewrite geq_max => /andP[_ mi]; rewrite Am.
  rewrite /cylinder /preimage /= /reversed /in_order (trunc (flip n)) (trunc id) (iid M mA).
  have -> : [set x | forall i, (i < M)%N -> A i (xi (flip n i) x)]
      = [set x | forall i, (i < M)%N -> A (flip n i) (xi i x)].
    have nM : (n <= M)%N by rewrite leq_maxl.
    apply/seteqP; split=> x /= H i iM; last by rewrite -{1}(flipK n i); exact: H (flip_lt nM iM).
    by have := H _ (flip_lt nM iM); rewrite flipK.
  rewrite (iid M (A := fun i => A (flip n i)))//; congr (_%:E).
  have nM : (n <= M)%N by rewrite leq_maxl.
  pose s (i : 'I_M) : 'I_M := Ordinal (flip_lt nM (ltn_ord i)).
  have sK : involutive s by move=> i; apply: val_inj; rewrite /= flipK.
  by rewrite (reindex_inj (inv_inj sK))/=; apply: eq_bigr => i _; rewrite flipK.
- by move=> _; rewrite /= /pushforward preimage_setT P_setT ltry.
Qed.
End Laws.

(** Expectations are integrals over the law: E phi(g) is the integral of phi over the image of mu. *)
Lemma integral_image d1 d2 (S : measurableType d1) (Y : measurableType d2) (R : realType)
  (mu : {measure set S -> \bar R}) (g : S -> Y) (mg : measurable_fun setT g) (phi : Y -> \bar R) :
  measurable_fun setT phi ->
  (\int[mu]_x phi (g x) = \int[[the measure _ _ of pushforward mu mg]]_y phi y)%E.
Proof.
move=> mphi; rewrite [RHS]integralE [LHS]integralE; congr (_ - _)%E.
- by rewrite [RHS](@integral_pushforward _ _ _ _ g mg R mu)//; exact: emeasurable_fun_funepos.
- by rewrite [RHS](@integral_pushforward _ _ _ _ g mg R mu)//; exact: emeasurable_fun_funeneg.
Qed.

(** ** Theorem 2.6 *)
Section Theorem26.
Local Open Scope ereal_scope.
Context d d' (Omega : measurableType d') (E : measurableType d) (X : topologicalType)
  (R : realType).
Variables (P : {measure set Omega -> \bar R}) (xi : nat -> Omega -> E).
Variables (f : E * borel X -> borel X) (theta0 : borel X).
Hypothesis P_setT : P setT = 1.
Hypothesis mxi : forall i, measurable_fun setT (xi i).
Hypothesis mf : measurable_fun setT f.
Hypothesis iid : forall n (A : nat -> set E), (forall i, measurable (A i)) ->
  P [set x | forall i, (i < n)%N -> A i (xi i x)]
  = (\prod_(i < n) fine (P (xi 0%N @^-1` A i)))%R%:E.

(** The paper's iterates: forward, T_n ... T_1 theta_0, and backward, T_1 ... T_n theta_0. *)
Fixpoint forward (n : nat) (x : Omega) : borel X :=
  if n is n'.+1 then f (xi n' x, forward n' x) else theta0.
Definition backward (n : nat) (x : Omega) : borel X := word f n (fun i => xi i x) theta0.

Lemma word_prefix n (w w' : nat -> E) x :
  (forall i, (i < n)%N -> w i = w' i) -> word f n w x = word f n w' x.
Proof.
elim: n w w' => [//|n IH] w w' H /=; rewrite H//; congr (f (_, _)).
by apply: IH => i ni; exact: H.
Qed.

Lemma forward_word n x : forward n x = word f n (reversed xi n x) theta0.
Proof.
elim: n => [//|n IH] /=; rewrite IH /reversed {2}/flip /= subn0; congr (f (_, _)).
apply: word_prefix => i ni; rewrite /flip ni ltnS ni /=; congr (xi _ x).
by rewrite -subn1 -subnDA add1n.
Qed.

Lemma measurable_backward n : measurable_fun setT (backward n).
Proof.
apply: (measurable_fun_comp (E := setT) (f := fun w : letters E => word f n w theta0)
  (g := in_order xi)) => //; [exact: measurable_word | exact: measurable_in_order].
Qed.

Lemma measurable_forward n : measurable_fun setT (forward n).
Proof.
rewrite (_ : forward n = (fun w : letters E => word f n w theta0) \o reversed xi n); last first.
  by apply/funext => x; rewrite /= forward_word.
apply: (measurable_fun_comp (E := setT)) => //; [exact: measurable_word | exact: measurable_reversed].
Qed.

(** Theorem 2.6, the identity of laws (row 36): P(T_n ... T_1 theta_0 in B) = P(T_1 ... T_n theta_0
    in B) for every Borel set B and every n. *)
Theorem equal_laws n (B : set (borel X)) : measurable B ->
  P (forward n @^-1` B) = P (backward n @^-1` B).
Proof.
move=> mB; have mw := measurable_word mf n theta0.
have mC : measurable ((fun w : letters E => word f n w theta0) @^-1` B).
  by rewrite -[X in measurable X]setTI; exact: mw.
have -> : forward n @^-1` B = reversed xi n @^-1` ((fun w : letters E => word f n w theta0) @^-1` B).
  by apply/seteqP; split=> x /=; rewrite forward_word.
exact: (reversed_law P_setT mxi iid n mC).
Qed.

(** The same for expectations: E phi(T_n ... T_1 theta_0) = E phi(T_1 ... T_n theta_0). *)
Theorem equal_expectations n (phi : borel X -> \bar R) : measurable_fun setT phi ->
  \int[P]_x phi (forward n x) = \int[P]_x phi (backward n x).
Proof.
move=> mphi; rewrite (integral_image P (measurable_forward n) mphi).
rewrite (integral_image P (measurable_backward n) mphi).
by apply: eq_measure_integral => B mB _; exact: equal_laws.
Qed.

Lemma continuous_borel (phi : X -> R) : continuous phi ->
  measurable_fun setT (phi : borel X -> R).
Proof.
move=> /continuousP cphi; apply: (measurability (RGenOpens.measurableE R)).
move=> _ [_ [a [b ->] <-]]; rewrite setTI; apply: sub_sigma_algebra.
by apply: cphi; exact: (@interval_open R (BRight a) (BLeft b)).
Qed.

(** Theorem 2.6 (row 36): if the backward iterates converge almost surely to theta*, the law of the
    forward iterates converges weakly to the law of theta*: E phi(T_n ... T_1 theta_0) -> E phi(theta* )
    for every bounded continuous phi. *)
Theorem forward_converges_in_law (limit : Omega -> borel X) :
  measurable_fun setT limit ->
  {ae P, forall x, (fun n => backward n x : X) --> (limit x : X)} ->
  forall (phi : X -> R) (M : R), continuous phi -> (forall y, `|phi y| <= M)%R ->
  (fun n => \int[P]_x (phi (forward n x))%:E) --> \int[P]_x (phi (limit x))%:E.
Proof.
move=> mlimit blimit phi M cphi phiM.
have mphi := continuous_borel cphi.
have mephi : measurable_fun setT (EFin \o (phi : borel X -> R)) by exact/EFin_measurable_fun.
rewrite (_ : (fun n => _) = fun n => \int[P]_x (phi (backward n x))%:E); last first.
  by apply/funext => n; exact: (equal_expectations n mephi).
have mback n : measurable_fun setT (fun x => (phi (backward n x))%:E).
  apply: (measurable_fun_comp (E := setT) (f := EFin \o (phi : borel X -> R))) => //.
  exact: measurable_backward.
have mlim : measurable_fun setT (fun x => (phi (limit x))%:E).
  exact: (measurable_fun_comp (E := setT) (f := EFin \o (phi : borel X -> R))).
have conv : {ae P, forall x, setT x -> (fun n => (phi (backward n x))%:E) --> (phi (limit x))%:E}.
  move: blimit => [N [mN N0 sub]]; exists N; split=> // x /= nconv; apply: sub => /= bx.
  apply: nconv => _; apply: cvg_EFin; first by apply: nearW.
  exact: (@continuous_cvg _ X _ _ _ (fun n => backward n x : X) phi (limit x) (cphi _) bx).
have ic : P.-integrable setT (cst M%:E).
  split; first exact: measurable_fun_cst.
  by rewrite (_ : (fun x => _) = cst `|M%:E|)// integral_cst// P_setT mule1 ltry.
have dom : {ae P, forall x n, setT x -> `|(phi (backward n x))%:E| <= cst M%:E x}.
  by apply: aeW => x n _ /=; rewrite lee_fin.
by have [] := dominated_convergence measurableT mback mlim conv ic dom.
Qed.
End Theorem26.
