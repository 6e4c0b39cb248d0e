(** Completeness is needed (row 21): on the rational numbers, the maps x/10 + a_i with the digits of the
    square root of 2 have backward iterates without a rational limit. *)

From Coq Require Import Reals Lra Lia ZArith Arith.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  sharp_constant necessity.
Local Open Scope R_scope.

(** The integer part of 10^n sqrt 2, and its last digit. *)
Definition root (n : nat) : nat := Nat.sqrt (2 * (10 ^ n * 10 ^ n)).

Definition digit (i : nat) : R :=
  match i with
  | O => 0
  | S O => INR (root 0)
  | S (S j) => INR (root (S j)) - 10 * INR (root j)
  end.

Lemma root_spec : forall n, (root n * root n <= 2 * (10 ^ n * 10 ^ n) < S (root n) * S (root n))%nat.
Proof. intros n. apply Nat.sqrt_spec. lia. Qed.

Lemma root_step : forall n, (10 * root n <= root (S n) <= 10 * root n + 9)%nat.
Proof.
  intros n. pose proof (root_spec n). pose proof (root_spec (S n)) as H'. rewrite Nat.pow_succ_r' in H'.
  set (t := (10 ^ n)%nat) in *. split.
  - apply Nat.nlt_ge. intro. nia.
  - apply Nat.nlt_ge. intro. nia.
Qed.

(** theta_{n+1} = root n / 10^n. *)
Lemma digits_backward : forall n,
  backward (affine_maps (fun _ => 1 / 10) digit) (S n) 0 = INR (root n) * (1 / 10) ^ n.
Proof.
  assert (Hp : forall n, factor_product (fun _ => 1 / 10) n = (1 / 10) ^ n)
    by (induction n; simpl; [reflexivity | rewrite IHn; ring]).
  intros n. rewrite affine_maps_backward, Rmult_0_r, Rplus_0_l.
  induction n.
  - simpl. ring.
  - rewrite Rsum_S, IHn, Hp. simpl digit. rewrite <- tech_pow_Rmult. field.
Qed.

(** No p, q with p^2 = 2 q^2, q > 0. *)
Lemma no_root_of_two : forall p q : nat, (p * p = 2 * (q * q))%nat -> q = 0%nat.
Proof.
  induction p as [p IH] using lt_wf_ind. intros q H.
  destruct (Nat.eq_dec q 0) as [| Hq]; [assumption | exfalso].
  destruct (Nat.Even_or_Odd p) as [[m Hm] | [m Hm]]; [| nia].
  assert (Hqm : (q * q = 2 * (m * m))%nat) by nia.
  assert (Hlt : (q < p)%nat) by nia.
  specialize (IH q Hlt m Hqm). nia.
Qed.

Definition rational (x : R) : Prop := exists p q : Z, (q <> 0)%Z /\ x = IZR p / IZR q.

Lemma rational_square_not_two : forall x, rational x -> x * x <> 2.
Proof.
  intros x (p & q & Hq & ->) H.
  assert (Hq' : IZR q <> 0) by (apply not_0_IZR; exact Hq).
  assert (E : IZR (p * p) = IZR (2 * (q * q))).
  { rewrite !mult_IZR. replace (IZR p * IZR p) with (IZR p / IZR q * (IZR p / IZR q) * (IZR q * IZR q)) by (field; exact Hq').
    rewrite H. ring. }
  apply eq_IZR in E.
  assert (Z.abs_nat q = 0%nat).
  { apply (no_root_of_two (Z.abs_nat p)). apply Nat2Z.inj.
    rewrite !Nat2Z.inj_mul, !Zabs2Nat.id_abs, <- !Z.abs_mul, !Z.abs_eq by nia. exact E. }
  lia.
Qed.

(** Row 21: the maps send rational numbers to rational numbers, they are 1/10-contractions with
    displacement at most 9 at 0, theta_{n+1}^2 <= 2 < (theta_{n+1} + 10^{-n})^2, and no rational number
    is the limit. *)
Theorem completeness_needed_on_rationals :
  let T := affine_maps (fun _ => 1 / 10) digit in
  (forall i x, rational x -> rational (T i x)) /\ uniformly_lipschitz (1 / 10) T /\ displacement_le T 0 9 /\
  (forall n, backward T (S n) 0 * backward T (S n) 0 <= 2
             < (backward T (S n) 0 + (1 / 10) ^ n) * (backward T (S n) 0 + (1 / 10) ^ n)) /\
  forall limit, converges (fun n => backward T n 0) limit -> ~ rational limit.
Proof.
  intros T.
  assert (Hd : forall i, 0 <= digit i <= 9).
  { intros [| [| j]]; simpl digit; [lra | unfold root; simpl; lra |].
    pose proof (root_step j) as [H1 H2]. apply le_INR in H1, H2. rewrite plus_INR, mult_INR in H2.
    rewrite mult_INR in H1. replace (INR 10) with 10 in * by (simpl; lra). replace (INR 9) with 9 in * by (simpl; lra). lra. }
  assert (Hq : forall n, (1 / 10) ^ n * INR (10 ^ n) = 1).
  { intros n. rewrite pow_INR, <- Rpow_mult_distr. replace (1 / 10 * INR 10) with 1 by (simpl; field). apply pow1. }
  assert (Hsq : forall n, backward T (S n) 0 * backward T (S n) 0 <= 2
             < (backward T (S n) 0 + (1 / 10) ^ n) * (backward T (S n) 0 + (1 / 10) ^ n)).
  { intros n. unfold T. rewrite digits_backward. destruct (root_spec n) as [H1 H2].
    apply le_INR in H1. apply lt_INR in H2. rewrite !mult_INR in H1, H2. rewrite (S_INR (root n)) in H2.
    replace (INR 2) with 2 in * by (simpl; lra). pose proof (Hq n) as E.
    set (q := (1 / 10) ^ n) in *. set (t := INR (10 ^ n)) in *. set (s := INR (root n)) in *.
    assert (Hqpos : 0 < q) by (apply pow_lt; lra).
    assert (E2 : q * q * (t * t) = 1) by (replace (q * q * (t * t)) with (q * t * (q * t)) by ring; rewrite E; ring).
    assert (Hqq : 0 < q * q) by nra.
    split.
    - replace 2 with (q * q * (2 * (t * t))) by lra.
      replace (s * q * (s * q)) with (q * q * (s * s)) by ring. apply Rmult_le_compat_l; lra.
    - replace 2 with (q * q * (2 * (t * t))) at 1 by lra.
      replace ((s * q + q) * (s * q + q)) with (q * q * ((s + 1) * (s + 1))) by ring.
      apply Rmult_lt_compat_l; [exact Hqq |]. lra. }
  split; [| split; [| split; [| split; [exact Hsq |]]]].
  - intros i x (p & q & Hq0 & ->).
    assert (Hdi : exists z, digit i = IZR z).
    { destruct i as [| [| j]]; simpl digit.
      - exists 0%Z. reflexivity.
      - exists 1%Z. reflexivity.
      - exists (Z.of_nat (root (S j)) - 10 * Z.of_nat (root j))%Z.
        rewrite minus_IZR, mult_IZR, <- !INR_IZR_INZ. reflexivity. }
    destruct Hdi as [z Hz]. exists (p + 10 * q * z)%Z, (10 * q)%Z. split; [lia |].
    unfold T, affine_maps. rewrite Hz, plus_IZR, !mult_IZR. field. apply not_0_IZR. exact Hq0.
  - intros i _. apply (affine_maps_lipschitz (fun _ => 1 / 10) digit i). lra.
  - intros i _. unfold T, affine_maps. simpl. pose proof (Hd i).
    rewrite Rmult_0_r, Rplus_0_l, Rminus_0_l, Rabs_Ropp, Rabs_pos_eq; lra.
  - intros limit Hl Hrat. apply (rational_square_not_two limit Hrat).
    set (u := fun n => backward T (S n) 0).
    assert (Hu : Un_cv u limit).
    { intros e He. destruct (Hl e He) as [N HN]. exists N. intros n Hn. apply (HN (S n)). lia. }
    apply (UL_sequence (fun n => u n * u n)); [apply CV_mult; exact Hu |].
    assert (Hu2 : forall n, 0 <= u n <= 2).
    { intros n. pose proof (Hsq n) as [H1 _]. fold (u n) in H1.
      assert (0 <= u n). { unfold u, T. rewrite digits_backward. apply Rmult_le_pos; [apply pos_INR | apply pow_le; lra]. }
      split; [assumption | nra]. }
    intros e He. destruct (geometric_vanishes 5 (1 / 10) ltac:(lra) e He) as [N HN]. exists N. intros n Hn.
    specialize (HN n Hn). unfold R_dist in *. rewrite Rminus_0_r in HN.
    pose proof (Hsq n) as [H1 H2]. fold (u n) in H1, H2. pose proof (Hu2 n) as Hun.
    assert (Hq1 : 0 < (1 / 10) ^ n <= 1).
    { split; [apply pow_lt; lra |]. eapply Rle_trans; [apply pow_incr with (y := 1); lra | rewrite pow1; lra]. }
    set (q := (1 / 10) ^ n) in *. rewrite Rabs_pos_eq in HN by lra.
    rewrite Rabs_minus_sym, Rabs_pos_eq by lra. nra.
Qed.
