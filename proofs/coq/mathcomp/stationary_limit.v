(** Theorem 2.6, "stationary": with continuous maps the limit law is invariant.

    theta* = T_1(theta*_2) where theta*_2 is the limit of T_2 T_3 ...; in law, theta* is f(xi, theta*')
    with a letter xi and a copy theta*' of the limit that are independent. Independence is said by
    the product measure P x P on Omega x Omega: xi = xi_0(x), theta*' = theta*(y). *)

From mathcomp Require Import all_ssreflect ssralg ssrnum order interval.
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

Section Stationary.
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

Lemma P_sigma_finite : sigma_finite setT P.
Proof.
exists (fun=> setT); first by rewrite bigcup_const//; exists 0%N.
by move=> _; split=> //; rewrite P_setT ltry.
Qed.

(** P x P. *)
Definition independent_copies := [the measure _ _ of product_measure1 P P_sigma_finite].

(** The letters xi_0(x), xi_0(y), xi_1(y), ...: a fresh first letter. *)
Definition fresh_first (z : Omega * Omega) : letters E :=
  fun i => if i is j.+1 then xi j z.2 else xi 0%N z.1.

Lemma measurable_fresh_first : measurable_fun setT fresh_first.
Proof.
have [m1 m2] := (prod_measurable_funP (fun z : Omega * Omega => z)).1
  (@measurable_fun_id _ _ setT).
apply: measurable_into_letters => -[|i] /=.
- exact: (measurable_fun_comp (E := setT) (f := xi 0%N)).
- exact: (measurable_fun_comp (E := setT) (f := xi i)).
Qed.

Lemma letter_probability (A : set E) : measurable A ->
  P (xi 0%N @^-1` A) = (fine (P (xi 0%N @^-1` A)))%:E.
Proof.
move=> mA; have mB : measurable (xi 0%N @^-1` A).
  by rewrite -[X in measurable X]setTI; exact: mxi.
rewrite fineK// ge0_fin_numE//; apply: (@le_lt_trans _ _ (P setT)); last by rewrite P_setT ltry.
by apply: le_measure => //; rewrite inE.
Qed.

(** A fresh first letter does not change the joint law. *)
Lemma fresh_first_law (C : set (letters E)) : measurable C ->
  independent_copies (fresh_first @^-1` C) = P (in_order xi @^-1` C).
Proof.
move=> mC.
apply: (@measure_unique _ R (letters E) (@cylinders _ E) (fun=> setT) erefl _ _ _
  [the measure _ _ of pushforward independent_copies measurable_fresh_first]
  [the measure _ _ of pushforward P (measurable_in_order mxi)]) => //.
- exact: cylinders_setI.
- by move=> _; exact: cylinders_setT.
- by rewrite bigcup_const//; exists 0%N.
- move=> _ [n [A [mA An ->]]]; rewrite /= /pushforward.
  have -> : in_order xi @^-1` cylinder A = [set x | forall i, (i < n.+1)%N -> A i (xi i x)].
    apply/seteqP; split=> x /= H i; first by move=> _; exact: H.
    have [ni|ni] := ltnP i n.+1; first exact: H.
    by rewrite An//; exact: ltnW.
  rewrite (iid n.+1 mA) big_ord_recl/=.
  have -> : fresh_first @^-1` cylinder A
      = (xi 0%N @^-1` A 0%N) `*` [set y | forall i, (i < n)%N -> A i.+1 (xi i y)].
    apply/seteqP; split=> -[x y] /=; first by move=> H; split; [exact: (H 0%N)|move=> i _; exact: (H i.+1)].
    move=> [H0 H] [|i]; first exact: H0.
    have [ni|ni] := ltnP i n; first exact: H.
    by rewrite An//; exact: leqW.
  rewrite product_measure1E//; last 2 first.
  + by rewrite -[X in measurable X]setTI; exact: mxi.
  + rewrite (_ : [set y | _] = \bigcap_i (if (i < n)%N then xi i @^-1` A i.+1 else setT)).
      apply: bigcapT_measurable => i; case: ifP => // _.
      by rewrite -[X in measurable X]setTI; exact: mxi.
    apply/seteqP; split=> y /= H i; first by move=> _; case: ifPn => // /H.
    by move=> ni; have := H i I; rewrite ni.
  rewrite (iid n (A := fun i => A i.+1))// letter_probability// -EFinM.
- by move=> _; rewrite /= /pushforward preimage_setT -setMTT product_measure1E// P_setT mule1 ltry.
Qed.

(** Theorem 2.6, stationarity (row 37): if every map f(e, .) is continuous and the backward iterates
    converge almost surely to theta*, then E phi(theta* ) = E phi(f(xi, theta*')) with xi and
    theta*' independent, for every bounded continuous phi: the law of theta* is invariant. *)
Theorem limit_is_stationary (limit : Omega -> borel X) :
  (forall e, continuous (fun x : X => f (e, x) : X)) ->
  measurable_fun setT limit ->
  {ae P, forall x, (fun n => backward xi f theta0 n x : X) --> (limit x : X)} ->
  forall (phi : X -> R) (M : R), continuous phi -> (forall y, `|phi y| <= M)%R ->
  \int[P]_x (phi (limit x))%:E
  = \int[independent_copies]_z (phi (f (xi 0%N z.1, limit z.2)))%:E.
Proof.
move=> cf mlimit blimit phi M cphi phiM.
have mphi := continuous_borel cphi.
have mephi : measurable_fun setT (EFin \o (phi : borel X -> R)) by exact/EFin_measurable_fun.
pose F n (z : Omega * Omega) : \bar R :=
  (phi (f (xi 0%N z.1, backward xi f theta0 n z.2)))%:E.
have [m1 m2] := (prod_measurable_funP (fun z : Omega * Omega => z)).1
  (@measurable_fun_id _ _ setT).
have mstep (g : Omega -> borel X) : measurable_fun setT g ->
    measurable_fun setT (fun z : Omega * Omega => (phi (f (xi 0%N z.1, g z.2)))%:E).
  move=> mg; apply: (measurable_fun_comp (E := setT) (f := EFin \o (phi : borel X -> R))) => //.
  apply: (measurable_fun_comp (E := setT) (f := f) (g := fun z : Omega * Omega => (xi 0%N z.1, g z.2))) => //.
  apply/prod_measurable_funP; split.
  - exact: (measurable_fun_comp (E := setT) (f := xi 0%N)).
  - exact: (measurable_fun_comp (E := setT) (f := g)).
have mback := measurable_backward theta0 mxi mf.
(* E phi(theta_{n+1}) with a fresh first letter *)
have Fback n : \int[independent_copies]_z F n z
    = \int[P]_x (phi (backward xi f theta0 n.+1 x))%:E.
  pose psi (w : letters E) : \bar R := (phi (word f n.+1 w theta0))%:E.
  have mpsi : measurable_fun setT psi.
    apply: (measurable_fun_comp (E := setT) (f := EFin \o (phi : borel X -> R))) => //.
    exact: measurable_word.
  transitivity (\int[independent_copies]_z psi (fresh_first z)); first by [].
  transitivity (\int[P]_x psi (in_order xi x)); last by [].
  rewrite (integral_image independent_copies measurable_fresh_first mpsi).
  rewrite (integral_image P (measurable_in_order mxi) mpsi).
  by apply: eq_measure_integral => C mC _; exact: fresh_first_law.
(* both sides are limits of the same sequence *)
have conv1 : (fun n => \int[P]_x (phi (backward xi f theta0 n.+1 x))%:E)
    --> \int[P]_x (phi (limit x))%:E.
  have := forward_converges_in_law P_setT mxi mf iid mlimit blimit cphi phiM.
  rewrite -cvg_shiftS (_ : (fun n => _) = fun n =>
    \int[P]_x (phi (backward xi f theta0 n.+1 x))%:E)//.
  by apply/funext => n; exact: (equal_expectations theta0 P_setT mxi mf iid n.+1 mephi).
have PP_setT : independent_copies setT = 1.
  by rewrite -setMTT /= product_measure1E// P_setT mule1.
have conv2 : (fun n => \int[independent_copies]_z F n z)
    --> \int[independent_copies]_z (phi (f (xi 0%N z.1, limit z.2)))%:E.
  have mF n : measurable_fun setT (F n) by exact: mstep (mback n).
  have conv : {ae independent_copies, forall z, setT z -> F ^~ z --> (phi (f (xi 0%N z.1, limit z.2)))%:E}.
    move: blimit => [N [mN N0 sub]]; exists (setT `*` N); split.
    - exact: measurableM.
    - by rewrite /= product_measure1E// P_setT N0 mule0.
    - move=> [x y] /= nconv; split=> //; apply: sub => /= by_; apply: nconv => _.
      apply: cvg_EFin; first by apply: nearW.
      have c : continuous (fun u : X => phi (f (xi 0%N x, u))).
        by move=> u; apply: (@continuous_comp _ _ _ (fun u : X => f (xi 0%N x, u) : X) phi); [exact: cf | exact: cphi].
      exact: (@continuous_cvg _ X _ _ _ (fun n => backward xi f theta0 n y : X) _ (limit y) (c _) by_).
  have ic : independent_copies.-integrable setT (cst M%:E).
    split; first exact: measurable_fun_cst.
    by rewrite (_ : (fun x => _) = cst `|M%:E|)// integral_cst// PP_setT mule1 ltry.
  have dom : {ae independent_copies, forall z n, setT z -> `|F n z| <= cst M%:E z}.
    by apply: aeW => z n _ /=; rewrite lee_fin.
  by have [] := dominated_convergence measurableT mF (mstep _ mlimit) conv ic dom.
move: conv2; rewrite (_ : (fun n => _) = fun n =>
  \int[P]_x (phi (backward xi f theta0 n.+1 x))%:E); last by apply/funext => n; exact: Fback.
exact: (cvg_unique (@ereal_hausdorff R) conv1).
Qed.
End Stationary.
