(** Complete metric spaces, limits, and the real line as an example.

    Everything is stated for an arbitrary metric space; a limit is unique, so
    "the limit" makes sense, and completeness is the statement that every
    Cauchy sequence has one. *)

From Coq Require Import Reals Lra Lia.
Local Open Scope R_scope.

Record MetricSpace := {
  point :> Type;
  distance : point -> point -> R;
  distance_nonneg : forall x y, 0 <= distance x y;
  distance_refl : forall x, distance x x = 0;
  distance_separates : forall x y, distance x y = 0 -> x = y;
  distance_sym : forall x y, distance x y = distance y x;
  distance_triangle : forall x y z, distance x z <= distance x y + distance y z
}.

Arguments distance {_} _ _.
Arguments distance_nonneg {_} _ _.
Arguments distance_refl {_} _.
Arguments distance_separates {_} _ _ _.
Arguments distance_sym {_} _ _.
Arguments distance_triangle {_} _ _ _.

Section Limits.
  Context {X : MetricSpace}.

  Definition converges (u : nat -> X) (l : X) : Prop :=
    forall eps, 0 < eps -> exists N, forall n, (N <= n)%nat -> distance (u n) l < eps.

  Definition cauchy (u : nat -> X) : Prop :=
    forall eps, 0 < eps ->
      exists N, forall n m, (N <= n)%nat -> (N <= m)%nat -> distance (u n) (u m) < eps.

  (** Limits are unique. *)
  Theorem limit_unique : forall u l l', converges u l -> converges u l' -> l = l'.
  Proof.
    intros u l l' H H'. apply distance_separates.
    destruct (Req_dec (distance l l') 0) as [E | E]; auto.
    pose proof (distance_nonneg l l').
    destruct (H (distance l l' / 2)) as [N HN]; [lra |].
    destruct (H' (distance l l' / 2)) as [N' HN']; [lra |].
    specialize (HN (max N N') ltac:(lia)). specialize (HN' (max N N') ltac:(lia)).
    pose proof (distance_triangle l (u (max N N')) l').
    rewrite (distance_sym l (u _)) in *. lra.
  Qed.

  Lemma converges_ext : forall u v l, (forall n, u n = v n) -> converges u l -> converges v l.
  Proof.
    intros u v l E H eps He. destruct (H eps He) as [N HN].
    exists N. intros n Hn. rewrite <- E. auto.
  Qed.

  Lemma converges_shift : forall u l p, converges u l -> converges (fun n => u (p + n)%nat) l.
  Proof.
    intros u l p H eps He. destruct (H eps He) as [N HN].
    exists N. intros n Hn. apply HN. lia.
  Qed.

  Lemma converges_unshift : forall u l p, converges (fun n => u (p + n)%nat) l -> converges u l.
  Proof.
    intros u l p H eps He. destruct (H eps He) as [N HN].
    exists (p + N)%nat. intros n Hn.
    replace n with (p + (n - p))%nat by lia. apply HN. lia.
  Qed.

  (** A sequence within e_n -> 0 of a point converges to it. *)
  Lemma converges_within : forall u l (e : nat -> R),
    (forall n, distance (u n) l <= e n) -> Un_cv e 0 -> converges u l.
  Proof.
    intros u l e Hd He eps Heps. destruct (He eps Heps) as [N HN].
    exists N. intros n Hn. specialize (HN n Hn). unfold R_dist in HN.
    rewrite Rminus_0_r in HN. pose proof (Rle_abs (e n)). specialize (Hd n). lra.
  Qed.

  (** Two sequences that approach each other have the same limit. *)
  Lemma converges_close : forall u v l (e : nat -> R),
    (forall n, distance (u n) (v n) <= e n) -> Un_cv e 0 -> converges u l -> converges v l.
  Proof.
    intros u v l e Hd He Hu eps Heps.
    destruct (He (eps / 2)) as [N HN]; [lra |].
    destruct (Hu (eps / 2)) as [N' HN']; [lra |].
    exists (max N N'). intros n Hn.
    specialize (HN n ltac:(lia)). specialize (HN' n ltac:(lia)).
    unfold R_dist in HN. rewrite Rminus_0_r in HN. pose proof (Rle_abs (e n)).
    specialize (Hd n). rewrite distance_sym in Hd.
    pose proof (distance_triangle (v n) (u n) l). lra.
  Qed.

  (** A closed ball contains the limits of its sequences. *)
  Lemma distance_limit_le : forall u l x c N,
    converges u l -> (forall n, (N <= n)%nat -> distance x (u n) <= c) -> distance x l <= c.
  Proof.
    intros u l x c N H Hc. apply Rnot_lt_le. intro Hlt.
    destruct (H (distance x l - c)) as [N' HN']; [lra |].
    specialize (HN' (max N N') ltac:(lia)). specialize (Hc (max N N') ltac:(lia)).
    pose proof (distance_triangle x (u (max N N')) l). lra.
  Qed.

  Lemma distance_limit_ge : forall u l x c N,
    converges u l -> (forall n, (N <= n)%nat -> c <= distance x (u n)) -> c <= distance x l.
  Proof.
    intros u l x c N H Hc. apply Rnot_lt_le. intro Hlt.
    destruct (H (c - distance x l)) as [N' HN']; [lra |].
    specialize (HN' (max N N') ltac:(lia)). specialize (Hc (max N N') ltac:(lia)).
    pose proof (distance_triangle x l (u (max N N'))). rewrite (distance_sym l) in *. lra.
  Qed.

  (** Row 4: a convergent sequence is Cauchy, with n, m -> infinity. *)
  Theorem convergent_is_cauchy : forall u l, converges u l -> cauchy u.
  Proof.
    intros u l H eps He. destruct (H (eps / 2)) as [N HN]; [lra |].
    exists N. intros n m Hn Hm. pose proof (HN n Hn). pose proof (HN m Hm).
    pose proof (distance_triangle (u n) l (u m)). rewrite (distance_sym l) in *. lra.
  Qed.

  (** A sequence with d(u_n, u_m) <= e_n for n <= m and e_n -> 0 is Cauchy. *)
  Lemma cauchy_of_tail_bound : forall u (e : nat -> R),
    (forall n m, (n <= m)%nat -> distance (u n) (u m) <= e n) -> Un_cv e 0 -> cauchy u.
  Proof.
    intros u e Hd He eps Heps. destruct (He (eps / 2)) as [N HN]; [lra |].
    exists N. intros n m Hn Hm. pose proof (HN N ltac:(lia)) as H.
    unfold R_dist in H. rewrite Rminus_0_r in H. pose proof (Rle_abs (e N)).
    pose proof (Hd N n Hn). pose proof (Hd N m Hm).
    pose proof (distance_triangle (u n) (u N) (u m)). rewrite (distance_sym (u n) (u N)) in *. lra.
  Qed.
End Limits.

Definition complete (X : MetricSpace) : Prop :=
  forall u : nat -> X, cauchy u -> exists l, converges u l.

(** f is Lipschitz with constant k. *)
Definition lipschitz {X : MetricSpace} (k : R) (f : X -> X) : Prop :=
  forall x y, distance (f x) (f y) <= k * distance x y.

(** Sequences of factors that vanish. *)
Lemma geometric_vanishes : forall C k, 0 <= k < 1 -> Un_cv (fun n => C * k ^ n) 0.
Proof.
  intros C k Hk eps Heps.
  assert (Hk' : Rabs k < 1) by (rewrite Rabs_pos_eq; lra).
  destruct (pow_lt_1_zero k Hk' (eps / (Rabs C + 1))) as [N HN].
  { apply Rdiv_lt_0_compat; [lra |]. pose proof (Rabs_pos C). lra. }
  exists N. intros n Hn. unfold R_dist. rewrite Rminus_0_r, Rabs_mult.
  specialize (HN n Hn). pose proof (Rabs_pos C). pose proof (Rabs_pos (k ^ n)).
  apply Rle_lt_trans with ((Rabs C + 1) * Rabs (k ^ n)); [nra |].
  apply Rlt_le_trans with ((Rabs C + 1) * (eps / (Rabs C + 1))).
  - apply Rmult_lt_compat_l; lra.
  - right. field. lra.
Qed.

(** The real line with |x - y|. *)
Lemma abs_diff_refl : forall x, Rabs (x - x) = 0.
Proof. intros. rewrite Rminus_diag_eq, Rabs_R0; auto. Qed.

Lemma abs_diff_separates : forall x y, Rabs (x - y) = 0 -> x = y.
Proof.
  intros x y H. destruct (Req_dec (x - y) 0) as [E | E]; [lra |].
  apply Rabs_no_R0 in E. contradiction.
Qed.

Lemma abs_diff_triangle : forall x y z, Rabs (x - z) <= Rabs (x - y) + Rabs (y - z).
Proof.
  intros. replace (x - z) with ((x - y) + (y - z)) by ring. apply Rabs_triang.
Qed.

Definition real_line : MetricSpace :=
  Build_MetricSpace R (fun x y => Rabs (x - y)) (fun x y => Rabs_pos (x - y))
    abs_diff_refl abs_diff_separates Rabs_minus_sym abs_diff_triangle.
Canonical real_line.

Lemma real_line_converges : forall u l, @converges real_line u l <-> Un_cv u l.
Proof.
  intros u l; split; intros H eps He; destruct (H eps He) as [N HN]; exists N; exact HN.
Qed.

(** The real line is complete, so Theorem 2.2 applies on it. *)
Theorem real_line_complete : complete real_line.
Proof.
  intros u Hu. destruct (R_complete u) as [l Hl].
  - intros eps He. destruct (Hu eps He) as [N HN]. exists N. intros n m Hn Hm. apply HN; auto.
  - exists l. apply real_line_converges. exact Hl.
Qed.
