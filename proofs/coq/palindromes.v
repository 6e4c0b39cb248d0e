(** Each batch used twice, the second time in the opposite order: T_1 ... T_n T_n ... T_1 (row 81).

    Its term in h^2 is 2 V'V - sum_i V_i'V_i with V = V_1 + ... + V_n, so it does not depend on the
    order of the maps; the term in h^3 does. *)

From Coq Require Import Reals Lra Lia List Permutation.
From TrainingInReverse Require Import metric_spaces compositions inner_product_spaces composition_expansion.
Import ListNotations.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** Letter i of the palindrome on 1 ... n, i = 1 ... 2n. *)
Definition mirror (n i : nat) : nat := if (i <=? n)%nat then i else (2 * n + 1 - i)%nat.

Lemma segment_ext : forall {A : Type} (T T' : nat -> A -> A) n a b x,
  (forall i, (1 <= i <= n)%nat -> T (a + i)%nat = T' (b + i)%nat) -> segment T a n x = segment T' b n x.
Proof.
  induction n; intros a b x H; simpl; [reflexivity |].
  pose proof (H 1%nat ltac:(lia)) as E. rewrite !Nat.add_1_r in E. rewrite E. f_equal.
  apply IHn. intros i Hi. specialize (H (S i) ltac:(lia)). rewrite <- !plus_n_Sm in H. exact H.
Qed.

(** T_1 ... T_n (T_n ... T_1 x). *)
Lemma palindrome_word : forall {A : Type} (T : nat -> A -> A) n x,
  backward (fun i => T (mirror n i)) (2 * n) x = backward T n (forward T n x).
Proof.
  intros A T n x. unfold backward. replace (2 * n)%nat with (n + n)%nat by lia. rewrite segment_add.
  rewrite forward_as_reversed_backward. unfold backward.
  rewrite (segment_ext (fun i => T (mirror n i)) (fun i => T (n + 1 - i)%nat) n (0 + n) 0).
  - apply segment_ext. intros i Hi. unfold mirror. simpl.
    replace (i <=? n)%nat with true; [reflexivity | symmetry; apply Nat.leb_le; lia].
  - intros i Hi. unfold mirror. replace (0 + n + i <=? n)%nat with false;
      [f_equal; lia | symmetry; apply Nat.leb_gt; lia].
Qed.

Section Algebra.
  Context {E : InnerProductSpace}.
  Implicit Types (x : nat -> E) (f : nat -> nat -> E).

  Lemma vsum_add_range : forall n m x, vsum (n + m) x = vsum n x +v vsum m (fun i => x (n + i)%nat).
  Proof.
    induction m; intros x; simpl; [rewrite Nat.add_0_r; vec |].
    rewrite <- plus_n_Sm. simpl. rewrite IHm. vec.
  Qed.

  (** A sum over the palindrome is twice the sum. *)
  Lemma vsum_mirror : forall n x, vsum (2 * n) (fun l => x (mirror n (S l))) = 2 *v vsum n (fun l => x (S l)).
  Proof.
    intros n x. replace (2 * n)%nat with (n + n)%nat by lia. rewrite vsum_add_range.
    rewrite (vsum_ext n (fun l => x (mirror n (S l))) (fun l => x (S l))).
    2: { intros l Hl. unfold mirror. replace (S l <=? n)%nat with true; [reflexivity |].
         symmetry. apply Nat.leb_le. lia. }
    rewrite (vsum_ext n (fun l => x (mirror n (S (n + l)))) (fun l => (fun j => x (S j)) (n - 1 - l)%nat)).
    2: { intros l Hl. unfold mirror. replace (S (n + l) <=? n)%nat with false;
         [f_equal; lia | symmetry; apply Nat.leb_gt; lia]. }
    rewrite (vsum_rev n (fun j => x (S j))). vec.
  Qed.

  (** Pairs u < v in both orders, and the diagonal, make all pairs. *)
  Lemma pair_sum_square : forall n f,
    vsum n (fun v => vsum n (fun u => f u v)) =
    pair_sum n f +v pair_sum n (fun u v => f v u) +v vsum n (fun u => f u u).
  Proof.
    induction n; intros f; [unfold pair_sum; simpl; vec |].
    rewrite !pair_sum_S. simpl vsum. rewrite vsum_add, IHn. vec.
  Qed.

  (** For a palindrome the two orders of a pair have one sum. *)
  Lemma pair_sum_mirror : forall n f,
    pair_sum (2 * n) (fun u v => f (mirror n (S u)) (mirror n (S v)))
    = pair_sum (2 * n) (fun u v => f (mirror n (S v)) (mirror n (S u))).
  Proof.
    intros n f. rewrite <- (pair_sum_rev (2 * n)). apply pair_sum_ext. intros u v Huv.
    assert (H : forall i, (i < 2 * n)%nat -> mirror n (S (2 * n - 1 - i)) = mirror n (S i)).
    { intros i Hi. unfold mirror.
      destruct (Nat.leb_spec (S (2 * n - 1 - i)) n), (Nat.leb_spec (S i) n); lia. }
    rewrite !H by lia. reflexivity.
  Qed.

  Lemma vsum_scale : forall n c x, vsum n (fun i => c *v x i) = c *v vsum n x.
  Proof. induction n; intros c x; simpl; [vec | rewrite IHn; vec]. Qed.

  Lemma vsum_swap : forall m n f,
    vsum m (fun l => vsum n (fun u => f u l)) = vsum n (fun u => vsum m (fun l => f u l)).
  Proof.
    induction m; intros n f; simpl.
    - induction n; simpl; [reflexivity | rewrite <- IHn; vec].
    - rewrite IHm, <- vsum_add. reflexivity.
  Qed.

  Lemma vsum_linear : forall (A : E -> E) n x,
    (forall a b, A (a +v b) = A a +v A b) -> (forall c a, A (c *v a) = c *v A a) ->
    A (vsum n x) = vsum n (fun i => A (x i)).
  Proof.
    intros A n x Hadd Hscale. induction n; simpl; [| rewrite Hadd, IHn; reflexivity].
    replace (zero : E) with (0 *v (zero : E)) at 1 by vec. rewrite Hscale. vec.
  Qed.
End Algebra.

Section Palindrome.
  Context {E : InnerProductSpace}.
  Variables (h : R) (theta : E) (G L M radius : R) (V DV : nat -> E -> E).
  Hypothesis h_nonneg : 0 <= h.
  Hypothesis G_nonneg : 0 <= G.
  Hypothesis L_nonneg : 0 <= L.
  Hypothesis M_nonneg : 0 <= M.
  Hypothesis V_expandable : forall i, expandable theta G L M radius (V i) (DV i).

  Let T (i : nat) : E -> E := euler_step h (V i).

  (** V = V_1 + ... + V_n at theta, V'V, and sum_i V_i'V_i. *)
  Definition total (n : nat) : E := vsum n (fun l => V (S l) theta).
  Definition total_derivative (n : nat) : E := vsum n (fun u => DV (S u) (total n)).
  Definition diagonal (n : nat) : E := vsum n (fun u => DV (S u) (V (S u) theta)).

  (** The term in h^2 of the palindrome: 2 V'V - sum_i V_i'V_i. *)
  Theorem palindrome_second_order : forall n,
    pair_sum (2 * n) (fun u v => DV (mirror n (S u)) (V (mirror n (S v)) theta))
    = 2 *v total_derivative n -v diagonal n.
  Proof.
    intros n. set (f := fun i j => DV i (V j theta)).
    assert (Hall : vsum (2 * n) (fun v => vsum (2 * n) (fun u => f (mirror n (S u)) (mirror n (S v))))
                   = 4 *v total_derivative n).
    { rewrite (vsum_mirror n (fun j => vsum (2 * n) (fun u => f (mirror n (S u)) j))).
      rewrite (vsum_ext n _ (fun l => 2 *v vsum n (fun u => f (S u) (S l))))
        by (intros l _; apply (vsum_mirror n (fun i => f i (S l)))).
      assert (Hsw : vsum n (fun l => 2 *v vsum n (fun u => f (S u) (S l))) = 2 *v total_derivative n).
      { rewrite vsum_scale, (vsum_swap n n (fun u l => f (S u) (S l))). f_equal.
        apply vsum_ext. intros u _. symmetry. destruct (V_expandable (S u)) as (Hadd & Hscale & _).
        apply (vsum_linear (DV (S u)) n (fun l => V (S l) theta)); assumption. }
      rewrite Hsw. vec. }
    rewrite pair_sum_square in Hall.
    rewrite <- (pair_sum_mirror n f) in Hall.
    rewrite (vsum_mirror n (fun i => f i i)) in Hall. fold (diagonal n) in Hall.
    change (vsum n (fun l => f (S l) (S l))) with (diagonal n) in Hall.
    set (P := pair_sum (2 * n) (fun u v => f (mirror n (S u)) (mirror n (S v)))) in *.
    change (P = 2 *v total_derivative n -v diagonal n).
    replace P with ((1 / 2) *v ((P +v P +v 2 *v diagonal n) -v 2 *v diagonal n)) by vec.
    rewrite Hall. vec.
  Qed.

  (** Row 81: |T_1...T_n T_n...T_1 theta - (theta + 2h V + h^2 (2 V'V - sum_i V_i'V_i))| is at most h^3
      times the constant of Lemma C.1 for 2n maps. *)
  Theorem palindrome_expansion : forall n, INR (2 * n) * (h * G) <= radius ->
    ‖backward T n (forward T n theta)
       -v (theta +v (2 * h) *v total n +v (h * h) *v (2 *v total_derivative n -v diagonal n))‖
      <= h * h * h * remainder_constant G L M (2 * n).
  Proof.
    intros n Hr.
    pose proof (composition_expansion h theta G L M radius h_nonneg G_nonneg L_nonneg M_nonneg
      (fun i => V (mirror n i)) (fun i => DV (mirror n i)) (fun i => V_expandable (mirror n i)) (2 * n) Hr) as H.
    cbv beta in H. rewrite palindrome_second_order in H.
    rewrite (vsum_mirror n (fun i => V i theta)) in H. fold (total n) in H.
    change (fun i : nat => euler_step h (V (mirror n i))) with (fun i => T (mirror n i)) in H.
    rewrite palindrome_word in H.
    replace (h *v (2 *v total n)) with ((2 * h) *v total n) in H by vec. exact H.
  Qed.
End Palindrome.

(** A sum does not depend on the order of its terms. *)
Lemma vsum_permuted : forall {E : InnerProductSpace} n (x : nat -> E) sigma,
  Permutation (map sigma (seq 0 n)) (seq 0 n) -> vsum n (fun l => x (sigma l)) = vsum n x.
Proof.
  intros E n x sigma Hp.
  set (lsum := fix lsum (l : list nat) (y : nat -> E) : E := match l with [] => zero | i :: l' => y i +v lsum l' y end).
  assert (Hs : forall m a y, vsum m (fun l => y (a + l)%nat) = lsum (seq a m) y).
  { induction m; intros a y; [reflexivity |]. rewrite vsum_first. simpl. rewrite Nat.add_0_r. f_equal.
    rewrite <- IHm. apply vsum_ext. intros i _. f_equal. lia. }
  assert (Hperm : forall l l', Permutation l l' -> forall y, lsum l y = lsum l' y).
  { intros l l' H. induction H; intros g; simpl.
    - reflexivity.
    - rewrite IHPermutation. reflexivity.
    - vec.
    - rewrite IHPermutation1. apply IHPermutation2. }
  assert (Hmap : forall l y, lsum (map sigma l) y = lsum l (fun i => y (sigma i))).
  { induction l; intros y; simpl; [reflexivity | rewrite IHl; reflexivity]. }
  pose proof (Hs n 0%nat x) as H1. pose proof (Hs n 0%nat (fun i => x (sigma i))) as H2.
  cbn [Nat.add] in H1, H2. rewrite H2, <- Hmap, (Hperm _ _ Hp). symmetry. exact H1.
Qed.

(** Row 81: two orders of the same maps, each followed by its mirror image, end within twice that of each
    other: the spread over the orders is of the order h^3. *)
Theorem palindromes_of_two_orders : forall {E : InnerProductSpace} h (theta : E) G L M radius V DV sigma n,
  0 <= h -> 0 <= G -> 0 <= L -> 0 <= M ->
  (forall i, expandable theta G L M radius (V i) (DV i)) ->
  Permutation (map sigma (seq 0 n)) (seq 0 n) -> INR (2 * n) * (h * G) <= radius ->
  let T i := euler_step h (V i) in
  let T' i := euler_step h (V (S (sigma (i - 1)%nat))) in
  ‖backward T n (forward T n theta) -v backward T' n (forward T' n theta)‖
    <= 2 * (h * h * h * remainder_constant G L M (2 * n)).
Proof.
  intros E h theta G L M radius V DV sigma n Hh HG HL HM HV Hs Hr T T'.
  set (V' := fun i => V (S (sigma (i - 1)%nat))). set (DV' := fun i => DV (S (sigma (i - 1)%nat))).
  pose proof (palindrome_expansion h theta G L M radius V DV Hh HG HL HM HV n Hr) as H1.
  pose proof (palindrome_expansion h theta G L M radius V' DV' Hh HG HL HM
    (fun i => HV (S (sigma (i - 1)%nat))) n Hr) as H2.
  assert (E1 : total theta V' n = total theta V n).
  { unfold total, V'. rewrite <- (vsum_permuted n (fun l => V (S l) theta) sigma Hs).
    apply vsum_ext. intros i _. simpl. rewrite Nat.sub_0_r. reflexivity. }
  assert (E2 : total_derivative theta V' DV' n = total_derivative theta V DV n).
  { unfold total_derivative. rewrite E1.
    rewrite <- (vsum_permuted n (fun u => DV (S u) (total theta V n)) sigma Hs).
    apply vsum_ext. intros i _. unfold DV'. simpl. rewrite Nat.sub_0_r. reflexivity. }
  assert (E3 : diagonal theta V' DV' n = diagonal theta V DV n).
  { unfold diagonal. rewrite <- (vsum_permuted n (fun u => DV (S u) (V (S u) theta)) sigma Hs).
    apply vsum_ext. intros i _. unfold V', DV'. simpl. rewrite Nat.sub_0_r. reflexivity. }
  rewrite E1, E2, E3 in H2.
  set (C := theta +v (2 * h) *v total theta V n
            +v (h * h) *v (2 *v total_derivative theta V DV n -v diagonal theta V DV n)) in *.
  match goal with |- ‖?a -v ?b‖ <= _ => replace (a -v b) with ((a -v C) -v (b -v C)) by vec end.
  eapply Rle_trans; [apply norm_sub_le |].
  change (fun i : nat => euler_step h (V' i)) with T' in H2. fold T in H1. lra.
Qed.

(** Row 81: the term in h^3 depends on the order, and with one map in the middle the term in h does. With
    V_1 = 1 and V_2 = x^2 on the line, from 0: T_1T_2T_2T_1 = 2h + 2h^3 + 2h^5 + h^7 and
    T_2T_1T_1T_2 = 2h + 4h^3, but T_1T_2T_1 = 2h + h^3 and T_2T_1T_2 = h + h^3. *)
Theorem palindromes_differ_at_third_order : forall h : R,
  let T1 := euler_step (E := line) h (fun _ => 1) in
  let T2 := euler_step (E := line) h (fun x => x * x) in
  T1 (T2 (T2 (T1 0))) = 2 * h + 2 * h ^ 3 + 2 * h ^ 5 + h ^ 7 /\
  T2 (T1 (T1 (T2 0))) = 2 * h + 4 * h ^ 3 /\
  T1 (T2 (T1 0)) = 2 * h + h ^ 3 /\ T2 (T1 (T2 0)) = h + h ^ 3.
Proof. intros h T1 T2. unfold T1, T2, euler_step. simpl. repeat split; ring. Qed.
