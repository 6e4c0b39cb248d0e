(** Lemma 2.5: a gradient step on an m-strongly convex, M-smooth loss.

    In any real inner-product space: the printed factor with its exact range, the sharp factor for
    gradients, where each is attained, and Theorem 2.2 for such steps. *)

From Coq Require Import Reals Lra Lia.
From Coq Require Fin.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  inner_product_spaces.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** One step: theta - h g(theta). *)
Definition step {E : InnerProductSpace} (h : R) (g : E -> E) (x : E) : E := x -v h *v g x.

(** <g x - g y, x - y> >= m |x - y|^2. *)
Definition strongly_monotone {E : InnerProductSpace} (m : R) (g : E -> E) : Prop :=
  forall x y, m * ⟨x -v y, x -v y⟩ <= ⟨g x -v g y, x -v y⟩.

(** |g x - g y| <= M |x - y|. *)
Definition lipschitz_field {E : InnerProductSpace} (M : R) (g : E -> E) : Prop :=
  forall x y, ‖g x -v g y‖ <= M * ‖x -v y‖.

(** g is the gradient of F: d/dt F(x + t v) = <g x, v> at t = 0, for all x and v. *)
Definition gradient_of {E : InnerProductSpace} (F : E -> R) (g : E -> E) : Prop :=
  forall x v, derivable_pt_lim (fun t => F (x +v t *v v)) 0 ⟨g x, v⟩.

(** The factor printed in Lemma 2.5. *)
Definition printed_factor (m M h : R) : R := sqrt (1 - 2 * h * m + h ^ 2 * M ^ 2).

(** The sharp factor for gradients. *)
Definition sharp_factor (m M h : R) : R := Rmax (Rabs (1 - h * m)) (Rabs (1 - h * M)).

(** ** The printed factor *)

(** Row 29: the radicand is (1 - h m)^2 + h^2 (M^2 - m^2) >= 0. *)
Lemma radicand_nonneg : forall m M h, 0 <= m <= M -> 0 <= 1 - 2 * h * m + h ^ 2 * M ^ 2.
Proof.
  intros m M h H.
  replace (1 - 2 * h * m + h ^ 2 * M ^ 2) with ((1 - h * m) ^ 2 + h ^ 2 * (M ^ 2 - m ^ 2)) by ring.
  pose proof (pow2_ge_0 (1 - h * m)). pose proof (pow2_ge_0 h).
  assert (0 <= M ^ 2 - m ^ 2) by nra. nra.
Qed.

(** Lemma 2.5: |T x - T y| <= sqrt(1 - 2hm + h^2 M^2) |x - y| for h >= 0; g need not be a gradient. *)
Theorem strongly_convex_step : forall {E : InnerProductSpace} (g : E -> E) m M h,
  0 <= m <= M -> strongly_monotone m g -> lipschitz_field M g -> 0 <= h ->
  forall x y, ‖step h g x -v step h g y‖ <= printed_factor m M h * ‖x -v y‖.
Proof.
  intros E g m M h Hm Hmono Hlip Hh x y. pose proof (radicand_nonneg m M h Hm) as Hr.
  pose proof (norm_nonneg (x -v y)).
  apply norm_le_of_sq; [apply Rmult_le_pos; [apply sqrt_pos | assumption] |].
  replace (printed_factor m M h * ‖x -v y‖ * (printed_factor m M h * ‖x -v y‖))
    with (printed_factor m M h * printed_factor m M h * (‖x -v y‖ * ‖x -v y‖)) by ring.
  unfold printed_factor. rewrite sqrt_sqrt by exact Hr. rewrite norm_sq.
  replace (step h g x -v step h g y) with ((x -v y) -v h *v (g x -v g y)) by (unfold step; vec).
  specialize (Hmono x y). specialize (Hlip x y). pose proof (norm_nonneg (g x -v g y)).
  assert (Hsq : ⟨g x -v g y, g x -v g y⟩ <= M ^ 2 * ⟨x -v y, x -v y⟩).
  { rewrite <- !norm_sq. simpl. rewrite Rmult_1_r.
    replace (M * M * (‖x -v y‖ * ‖x -v y‖)) with (M * ‖x -v y‖ * (M * ‖x -v y‖)) by ring.
    apply Rmult_le_compat; assumption. }
  set (d := x -v y) in *. set (w := g x -v g y) in *.
  autorewrite with inner. rewrite (inner_sym d w).
  pose proof (pow2_ge_0 h).
  assert (h ^ 2 * ⟨w, w⟩ <= h ^ 2 * (M ^ 2 * ⟨d, d⟩)) by (apply Rmult_le_compat_l; assumption).
  assert (h * (m * ⟨d, d⟩) <= h * ⟨w, d⟩) by (apply Rmult_le_compat_l; assumption).
  lra.
Qed.

(** Rows 29 and 30: the printed factor is below 1 if and only if 0 < h < 2m/M^2. *)
Theorem printed_factor_contracts_iff : forall m M h, 0 < m <= M ->
  (printed_factor m M h < 1 <-> 0 < h < 2 * m / M ^ 2).
Proof.
  intros m M h H. pose proof (radicand_nonneg m M h ltac:(lra)) as Hr. unfold printed_factor.
  assert (HM : 0 < M ^ 2) by (apply pow_lt; lra).
  assert (E : 2 * m / M ^ 2 * M ^ 2 = 2 * m) by (field; lra).
  split.
  - intros Hs. assert (Hlt : 1 - 2 * h * m + h ^ 2 * M ^ 2 < 1).
    { apply Rnot_le_lt. intro Hge. apply sqrt_le_1_alt in Hge. rewrite sqrt_1 in Hge. lra. }
    assert (Hneg : h * (h * M ^ 2 - 2 * m) < 0) by (simpl in *; nra).
    assert (Hpos : 0 < h).
    { apply Rnot_le_lt. intro Hle. assert (h * M ^ 2 <= 0) by nra. nra. }
    split; [exact Hpos |]. apply (Rmult_lt_reg_r (M ^ 2)); [exact HM |]. rewrite E. nra.
  - intros [Hpos Hlt]. apply (Rmult_lt_compat_r (M ^ 2)) in Hlt; [| exact HM]. rewrite E in Hlt.
    apply Rlt_le_trans with (sqrt 1); [| rewrite sqrt_1; lra].
    apply sqrt_lt_1_alt. split; [exact Hr |].
    assert (h * (h * M ^ 2 - 2 * m) < 0) by nra. simpl in *; nra.
Qed.

(** Row 30: the interval (0,1) plays no part. m = M = 1/10 contracts up to h < 20, and
    m = 1, M = 10 has the printed factor 5 at h = 1/2. *)
Theorem unit_interval_is_irrelevant :
  (forall h, 0 < h < 20 -> printed_factor (1 / 10) (1 / 10) h < 1) /\ printed_factor 1 10 (1 / 2) = 5.
Proof.
  split.
  - intros h H. apply printed_factor_contracts_iff; lra.
  - unfold printed_factor. replace (1 - 2 * (1 / 2) * 1 + (1 / 2) ^ 2 * 10 ^ 2) with (5 * 5) by field.
    apply sqrt_square. lra.
Qed.

(** Row 31: h >= 0 is needed. For g x = M x with m < M and h = -1 the printed bound fails. *)
Theorem nonnegative_step_needed : forall m M, 0 < m < M ->
  let g : line -> line := fun x => M * x in
  strongly_monotone m g /\ lipschitz_field M g /\
  printed_factor m M (-1) * ‖(1 : line) -v 0‖ < ‖step (-1) g (1 : line) -v step (-1) g 0‖.
Proof.
  intros m M H g. unfold norm, step, sub. simpl. split; [| split].
  - intros x y. unfold g, sub. simpl. pose proof (Rle_0_sqr (x + -1 * y)). unfold Rsqr in *. nra.
  - intros x y. unfold norm, g, sub. simpl.
    replace ((M * x + -1 * (M * y)) * (M * x + -1 * (M * y)))
      with ((M * (x + -1 * y)) * (M * (x + -1 * y))) by ring.
    fold (Rsqr (M * (x + -1 * y))) (Rsqr (x + -1 * y)).
    rewrite !sqrt_Rsqr_abs, Rabs_mult, (Rabs_pos_eq M) by lra. lra.
  - unfold g, printed_factor.
    replace ((1 + -1 * 0) * (1 + -1 * 0)) with 1 by ring. rewrite sqrt_1, Rmult_1_r.
    apply sqrt_lt_1_alt. nra.
Qed.

(** Row 29: the printed factor is attained by the field V(x, y) = (m x - s y, s x + m y) of R^2,
    m^2 + s^2 = M^2, which is no gradient: |T x| = sqrt(1 - 2hm + h^2 M^2) |x| for all x. *)
Definition plane (a b : R) : euclidean 2 :=
  fun i => match proj1_sig (Fin.to_nat i) with O => a | _ => b end.

Definition rotational_field (m s : R) (x : euclidean 2) : euclidean 2 :=
  plane (m * x Fin.F1 - s * x (Fin.FS Fin.F1)) (s * x Fin.F1 + m * x (Fin.FS Fin.F1)).

Theorem printed_factor_attained : forall m s M h, 0 <= m -> 0 <= M -> m ^ 2 + s ^ 2 = M ^ 2 ->
  let g := rotational_field m s in
  strongly_monotone m g /\ lipschitz_field M g /\
  forall x y, ‖step h g x -v step h g y‖ = printed_factor m M h * ‖x -v y‖.
Proof.
  intros m s M h Hm HM Hs g.
  assert (EM : M * M = m * m + s * s) by (simpl in Hs; lra). split; [| split].
  - intros x y. unfold g, rotational_field, plane, sub. simpl. unfold dot. simpl. nra.
  - intros x y. unfold norm. rewrite <- (sqrt_square M) by assumption.
    rewrite <- sqrt_mult_alt by nra. apply sqrt_le_1_alt. rewrite EM.
    unfold g, rotational_field, plane, sub. simpl. unfold dot. simpl. nra.
  - intros x y. unfold printed_factor, norm. rewrite <- sqrt_mult_alt.
    + f_equal. unfold step, g, rotational_field, plane, sub. simpl. unfold dot. simpl.
      rewrite !Rmult_1_r, EM. ring.
    + apply radicand_nonneg. split; [assumption | nra].
Qed.

(** ** The sharp factor for gradients *)

(** A function whose derivative on [0,1) is at most 0 does not grow there. By the supremum of the
    points t with f t - f 0 <= c t, c > 0 (the mean value theorem of the standard library would
    bring the law of excluded middle as one more axiom). *)
Lemma no_growth : forall f f',
  (forall t, 0 <= t <= 1 -> derivable_pt_lim f t (f' t)) ->
  (forall t, 0 <= t < 1 -> f' t <= 0) ->
  f 1 <= f 0.
Proof.
  intros f f' Hf Hb. apply Rnot_lt_le. intro Hlt.
  set (c := (f 1 - f 0) / 2). assert (Hc : 0 < c) by (unfold c; lra).
  set (S := fun t => 0 <= t <= 1 /\ f t - f 0 <= c * t).
  destruct (completeness S) as [m [Hub Hleast]].
  { exists 1. intros t [Ht _]. lra. }
  { exists 0. split; lra. }
  assert (Hm : 0 <= m <= 1).
  { split; [apply Hub; split; lra | apply Hleast; intros t [Ht _]; lra]. }
  (* near m, |f (m + e) - f m - e f'(m)| <= eta |e| *)
  assert (Hnear : forall eta, 0 < eta -> exists delta, 0 < delta /\
            forall e, Rabs e < delta -> Rabs (f (m + e) - f m - e * f' m) <= eta * Rabs e).
  { intros eta He. destruct (Hf m Hm eta He) as [delta Hd]. exists delta.
    split; [apply cond_pos |]. intros e Hlt'.
    destruct (Req_dec e 0) as [-> | Hn].
    - rewrite Rplus_0_r. replace (f m - f m - 0 * f' m) with 0 by ring. rewrite Rabs_R0. lra.
    - specialize (Hd e Hn Hlt').
      replace (f (m + e) - f m - e * f' m) with (((f (m + e) - f m) / e - f' m) * e) by (field; exact Hn).
      rewrite Rabs_mult. apply Rmult_le_compat_r; [apply Rabs_pos | lra]. }
  (* m is one of these points: otherwise a neighbourhood of m has none *)
  assert (HmS : f m - f 0 <= c * m).
  { apply Rnot_lt_le. intro Hgap. set (gap := f m - f 0 - c * m) in *.
    assert (Hg : 0 < gap) by (unfold gap; lra).
    destruct (Hnear 1 Rlt_0_1) as (delta & Hd & Hne).
    set (slope := Rabs (f' m) + c + 1).
    assert (Hs : 0 < slope) by (unfold slope; pose proof (Rabs_pos (f' m)); lra).
    assert (Hq : 0 < gap / slope) by (apply Rdiv_lt_0_compat; assumption).
    set (eta := Rmin delta (gap / slope)).
    assert (He : 0 < eta <= delta /\ eta <= gap / slope).
    { unfold eta. pose proof (Rmin_l delta (gap / slope)). pose proof (Rmin_r delta (gap / slope)).
      pose proof (Rmin_glb_lt _ _ _ Hd Hq). lra. }
    enough (m <= m - eta) by lra. apply Hleast. intros t [Ht HtS].
    apply Rnot_lt_le. intro Hclose. pose proof (Hub t (conj Ht HtS)) as Htm.
    assert (Habs : Rabs (t - m) = m - t) by (rewrite Rabs_minus_sym; apply Rabs_pos_eq; lra).
    specialize (Hne (t - m) ltac:(rewrite Habs; lra)). rewrite Habs in Hne.
    replace (m + (t - m)) with t in Hne by ring.
    pose proof (Rle_abs (- (f t - f m - (t - m) * f' m))) as H1. rewrite Rabs_Ropp in H1.
    pose proof (Rle_abs (f' m)) as H2. pose proof (Rle_abs (- f' m)) as H3. rewrite Rabs_Ropp in H3.
    assert (Hsl : (m - t) * slope < gap).
    { apply Rlt_le_trans with (gap / slope * slope); [apply Rmult_lt_compat_r; lra |].
      right. field. lra. }
    unfold slope in Hsl. unfold gap in *. nra. }
  destruct (Rlt_le_dec m 1) as [Hm1 | Hm1].
  2: { replace m with 1 in HmS by lra. unfold c in *. lra. }
  (* a point a little to the right of m is another *)
  destruct (Hnear c Hc) as (delta & Hd & Hne).
  set (e := Rmin (delta / 2) (1 - m)).
  assert (He : 0 < e /\ e <= delta / 2 /\ e <= 1 - m).
  { unfold e. pose proof (Rmin_l (delta / 2) (1 - m)). pose proof (Rmin_r (delta / 2) (1 - m)).
    pose proof (Rmin_glb_lt (delta / 2) (1 - m) 0 ltac:(lra) ltac:(lra)). lra. }
  specialize (Hne e ltac:(rewrite Rabs_pos_eq; lra)). rewrite (Rabs_pos_eq e) in Hne by lra.
  pose proof (Rle_abs (f (m + e) - f m - e * f' m)). specialize (Hb m ltac:(lra)).
  assert (Hnext : S (m + e)) by (split; [lra | nra]).
  specialize (Hub _ Hnext). lra.
Qed.

(** A function of [0,1] whose derivative is at most a + b t grows by at most a + b/2. *)
Lemma growth_bound : forall f f' a b,
  (forall t, 0 <= t <= 1 -> derivable_pt_lim f t (f' t)) ->
  (forall t, 0 <= t < 1 -> f' t <= a + b * t) ->
  f 1 - f 0 <= a + b / 2.
Proof.
  intros f f' a b Hf Hb.
  pose proof (no_growth (fun t => f t - (a * t + b / 2 * Rsqr t))
    (fun t => f' t - (a * 1 + b / 2 * (2 * t)))) as H.
  enough (f 1 - (a * 1 + b / 2 * Rsqr 1) <= f 0 - (a * 0 + b / 2 * Rsqr 0))
    by (unfold Rsqr in *; lra).
  apply H; clear H.
  - intros t Ht. apply derivable_pt_lim_minus; [apply Hf; assumption |].
    apply derivable_pt_lim_plus.
    + apply (derivable_pt_lim_scal id). apply derivable_pt_lim_id.
    + apply (derivable_pt_lim_scal Rsqr). apply derivable_pt_lim_Rsqr.
  - intros t Ht. specialize (Hb t Ht). lra.
Qed.

Section Gradients.
  Context {E : InnerProductSpace}.

  (** The derivative along a line, at every t. *)
  Lemma gradient_along_line : forall (F : E -> R) (g : E -> E), gradient_of F g ->
    forall x v t, derivable_pt_lim (fun s => F (x +v s *v v)) t ⟨g (x +v t *v v), v⟩.
  Proof.
    intros F g H x v t eps He. destruct (H (x +v t *v v) v eps He) as [delta Hd].
    exists delta. intros e Hn Hlt. specialize (Hd e Hn Hlt).
    replace (x +v (t + e) *v v) with (x +v t *v v +v (0 + e) *v v) by vec.
    replace (x +v t *v v +v 0 *v v) with (x +v t *v v) in Hd by vec. exact Hd.
  Qed.

  (** A bound on <g x - g y, x - y> from above bounds F by a parabola. *)
  Lemma parabola_above : forall (F : E -> R) (g : E -> E) M, gradient_of F g ->
    (forall x y, ⟨g x -v g y, x -v y⟩ <= M * ⟨x -v y, x -v y⟩) ->
    forall x v, F (x +v v) - F x <= ⟨g x, v⟩ + M / 2 * ⟨v, v⟩.
  Proof.
    intros F g M Hg HM x v.
    pose proof (growth_bound (fun t => F (x +v t *v v)) (fun t => ⟨g (x +v t *v v), v⟩)
                  ⟨g x, v⟩ (M * ⟨v, v⟩)) as H.
    cbv beta in H. replace (x +v 1 *v v) with (x +v v) in H by vec.
    replace (x +v 0 *v v) with x in H by vec.
    replace (M / 2 * ⟨v, v⟩) with (M * ⟨v, v⟩ / 2) by field. apply H; clear H.
    - intros t _. apply gradient_along_line. assumption.
    - intros t Ht. specialize (HM (x +v t *v v) x).
      replace (x +v t *v v -v x) with (t *v v) in HM by vec.
      destruct (Req_dec t 0) as [-> | Hn].
      + replace (x +v 0 *v v) with x by vec. lra.
      + autorewrite with inner in HM. apply (Rmult_le_reg_l t); [lra |]. lra.
  Qed.

  Lemma parabola_below : forall (F : E -> R) (g : E -> E) m, gradient_of F g ->
    (forall x y, m * ⟨x -v y, x -v y⟩ <= ⟨g x -v g y, x -v y⟩) ->
    forall x v, ⟨g x, v⟩ + m / 2 * ⟨v, v⟩ <= F (x +v v) - F x.
  Proof.
    intros F g m Hg Hm x v.
    enough (H : - F (x +v v) - - F x <= ⟨(-1) *v g x, v⟩ + - m / 2 * ⟨v, v⟩)
      by (rewrite inner_scale_l in H; lra).
    apply (parabola_above (fun x => - F x) (fun x => (-1) *v g x) (- m)).
    - intros y w. rewrite inner_scale_l. replace (-1 * ⟨g y, w⟩) with (- ⟨g y, w⟩) by ring.
      apply (derivable_pt_lim_opp (fun t => F (y +v t *v w))). apply Hg.
    - intros y w. specialize (Hm y w). autorewrite with inner in *. lra.
  Qed.

  (** P lies within rho/2 |v|^2 of its tangents: then G is rho-Lipschitz. *)
  Lemma lipschitz_of_tangent_bound : forall (P : E -> R) (G : E -> E) rho,
    (forall x v, Rabs (P (x +v v) - P x - ⟨G x, v⟩) <= rho / 2 * ⟨v, v⟩) ->
    forall x y, ‖G x -v G y‖ <= rho * ‖x -v y‖.
  Proof.
    intros P G rho H.
    assert (Hb : forall x v, ⟨G x, v⟩ - rho / 2 * ⟨v, v⟩ <= P (x +v v) - P x
                             /\ P (x +v v) - P x <= ⟨G x, v⟩ + rho / 2 * ⟨v, v⟩).
    { intros x v. specialize (H x v).
      pose proof (Rle_abs (P (x +v v) - P x - ⟨G x, v⟩)).
      pose proof (Rle_abs (- (P (x +v v) - P x - ⟨G x, v⟩))) as Hn. rewrite Rabs_Ropp in Hn. lra. }
    (* four tangents at x and y meet in two points: <G x - G y, u> <= rho/2 (|x - y|^2 + |u|^2) *)
    assert (Hu : forall x y u, ⟨G x -v G y, u⟩ <= rho / 2 * (⟨x -v y, x -v y⟩ + ⟨u, u⟩)).
    { intros y x u.
      set (z := (- (1 / 2)) *v ((y -v x) +v u)). set (z' := (1 / 2) *v ((y -v x) -v u)).
      pose proof (proj2 (Hb y z)) as A. pose proof (proj1 (Hb x z')) as B.
      pose proof (proj2 (Hb x ((-1) *v z))) as C. pose proof (proj1 (Hb y ((-1) *v z'))) as D.
      replace (x +v z') with (y +v z) in B by (unfold z, z'; vec).
      replace (y +v (-1) *v z') with (x +v (-1) *v z) in D by (unfold z, z'; vec).
      unfold z, z' in *. autorewrite with inner in *.
      rewrite (inner_sym u), (inner_sym y x), (inner_sym u x) in *.
      lra. }
    intros x y. specialize (Hu x y). pose proof (norm_nonneg (x -v y)) as Nd.
    pose proof (norm_nonneg (G x -v G y)) as Nw.
    destruct (Req_dec (‖G x -v G y‖) 0) as [Zw | Zw].
    { rewrite Zw. destruct (Req_dec (‖x -v y‖) 0) as [Zd | Zd]; [rewrite Zd; lra |].
      specialize (Hu zero). rewrite inner_zero_r, inner_zero_l, <- norm_sq in Hu. nra. }
    destruct (Req_dec (‖x -v y‖) 0) as [Zd | Zd].
    { exfalso. apply Zw. apply norm_sub_separates in Zd. rewrite Zd. apply norm_sub_refl. }
    specialize (Hu ((‖x -v y‖ / ‖G x -v G y‖) *v (G x -v G y))).
    rewrite inner_scale_r, inner_scale_l, inner_scale_r, <- !norm_sq in Hu.
    set (d := ‖x -v y‖) in *. set (w := ‖G x -v G y‖) in *.
    replace (d / w * (w * w)) with (d * w) in Hu by (field; assumption).
    replace (d / w * (d * w)) with (d * d) in Hu by (field; assumption).
    apply (Rmult_le_reg_l d); nra.
  Qed.

  (** |1 - h c| + |h| rho = max(|1 - hm|, |1 - hM|) for the midpoint c and half-width rho. *)
  Lemma sharp_factor_split : forall m M h, m <= M ->
    Rabs (1 - h * ((m + M) / 2)) + Rabs h * ((M - m) / 2) = sharp_factor m M h.
  Proof.
    intros m M h H. unfold sharp_factor.
    replace (Rabs h * ((M - m) / 2)) with (Rabs ((h * M - h * m) / 2)).
    2: { replace ((h * M - h * m) / 2) with (h * ((M - m) / 2)) by field.
         rewrite Rabs_mult, (Rabs_pos_eq ((M - m) / 2)) by lra. reflexivity. }
    replace (h * ((m + M) / 2)) with ((h * m + h * M) / 2) by field.
    generalize (h * m) (h * M). intros p q.
    unfold Rmax. destruct (Rle_dec (Rabs (1 - p)) (Rabs (1 - q))) as [L | L];
      [| apply Rnot_le_lt in L]; revert L; unfold Rabs;
      repeat destruct Rcase_abs; intros; lra.
  Qed.

  (** Where the tangent parabolas have curvatures m and M, the step has the sharp factor. *)
  Lemma sharp_factor_of_parabolas : forall (F : E -> R) (g : E -> E) m M h, m <= M ->
    (forall x v, ⟨g x, v⟩ + m / 2 * ⟨v, v⟩ <= F (x +v v) - F x) ->
    (forall x v, F (x +v v) - F x <= ⟨g x, v⟩ + M / 2 * ⟨v, v⟩) ->
    forall x y, ‖step h g x -v step h g y‖ <= sharp_factor m M h * ‖x -v y‖.
  Proof.
    intros F g m M h HmM Hlo Hhi x y.
    set (c := (m + M) / 2). set (rho := (M - m) / 2).
    set (G := fun x => g x -v c *v x). set (P := fun x => F x - c / 2 * ⟨x, x⟩).
    assert (HG : forall x y, ‖G x -v G y‖ <= rho * ‖x -v y‖).
    { apply (lipschitz_of_tangent_bound P). intros a v. unfold P, G.
      specialize (Hlo a v). specialize (Hhi a v). autorewrite with inner.
      rewrite (inner_sym v a).
      replace (F (a +v v) - c / 2 * (⟨a, a⟩ + ⟨a, v⟩ + (⟨a, v⟩ + ⟨v, v⟩))
               - (F a - c / 2 * ⟨a, a⟩) - (⟨g a, v⟩ - c * ⟨a, v⟩))
        with (F (a +v v) - F a - ⟨g a, v⟩ - c / 2 * ⟨v, v⟩) by field.
      unfold c, rho. apply Rabs_le. lra. }
    replace (step h g x -v step h g y) with ((1 - h * c) *v (x -v y) +v (- h) *v (G x -v G y))
      by (unfold step, G; vec).
    eapply Rle_trans; [apply norm_triangle |]. rewrite !norm_scale, Rabs_Ropp.
    rewrite <- (sharp_factor_split m M h HmM). fold c rho.
    specialize (HG x y). pose proof (Rabs_pos h).
    assert (Rabs h * ‖G x -v G y‖ <= Rabs h * (rho * ‖x -v y‖))
      by (apply Rmult_le_compat_l; assumption). lra.
  Qed.

  (** Row 29, the sharp factor for gradients: if g is the gradient of an m-strongly convex and
      M-smooth F, then |T x - T y| <= max(|1 - hm|, |1 - hM|) |x - y| for every real h. *)
  Theorem sharp_factor_for_gradients : forall (F : E -> R) (g : E -> E) m M h, m <= M ->
    gradient_of F g -> strongly_monotone m g -> lipschitz_field M g ->
    forall x y, ‖step h g x -v step h g y‖ <= sharp_factor m M h * ‖x -v y‖.
  Proof.
    intros F g m M h HmM HF Hm HM. apply (sharp_factor_of_parabolas F); [exact HmM | |].
    - apply parabola_below; assumption.
    - apply parabola_above; [assumption |]. intros x y.
      eapply Rle_trans; [apply cauchy_schwarz |]. rewrite <- norm_sq, <- Rmult_assoc.
      apply Rmult_le_compat_r; [apply norm_nonneg | apply HM].
  Qed.

  (** A symmetric linear H with m |x|^2 <= <H x, x> <= M |x|^2:
      |(1 - hH) x| <= max(|1 - hm|, |1 - hM|) |x|, for every real h (rows 7 and 8). *)
  Theorem sharp_factor_for_symmetric_operators : forall (H : E -> E) m M h, m <= M ->
    (forall x y, H (x +v y) = H x +v H y) -> (forall a x, H (a *v x) = a *v H x) ->
    (forall x y, ⟨H x, y⟩ = ⟨x, H y⟩) ->
    (forall x, m * ⟨x, x⟩ <= ⟨H x, x⟩ <= M * ⟨x, x⟩) ->
    forall x, ‖x -v h *v H x‖ <= sharp_factor m M h * ‖x‖.
  Proof.
    intros H m M h HmM Hadd Hscale Hsym Hrange x.
    assert (Hexp : forall x v, 1 / 2 * ⟨H (x +v v), x +v v⟩ - 1 / 2 * ⟨H x, x⟩
                               = ⟨H x, v⟩ + 1 / 2 * ⟨H v, v⟩).
    { intros a v. rewrite Hadd. autorewrite with inner. rewrite (Hsym v a), (inner_sym v). field. }
    pose proof (sharp_factor_of_parabolas (fun x => 1 / 2 * ⟨H x, x⟩) H m M h HmM) as K.
    specialize (K ltac:(intros a v; cbv beta; rewrite Hexp; pose proof (Hrange v); lra)
                  ltac:(intros a v; cbv beta; rewrite Hexp; pose proof (Hrange v); lra) x zero).
    unfold step in K.
    assert (HZ : H zero = zero).
    { replace (zero : E) with (0 *v (zero : E)) at 1 by vec. rewrite Hscale. vec. }
    rewrite HZ in K.
    replace (x -v h *v H x -v (zero -v h *v zero)) with (x -v h *v H x) in K by vec.
    replace (x -v zero) with x in K by vec. exact K.
  Qed.
End Gradients.

(** Row 29: the sharp factor is below 1 if and only if 0 < h < 2/M. *)
Theorem sharp_factor_contracts_iff : forall m M h, 0 < m <= M ->
  (sharp_factor m M h < 1 <-> 0 < h < 2 / M).
Proof.
  intros m M h H. unfold sharp_factor. assert (E : 2 / M * M = 2) by (field; lra). split.
  - intros Hs. pose proof (Rmax_l (Rabs (1 - h * m)) (Rabs (1 - h * M))).
    pose proof (Rmax_r (Rabs (1 - h * m)) (Rabs (1 - h * M))).
    pose proof (Rle_abs (1 - h * m)). pose proof (Rle_abs (- (1 - h * M))) as Hn.
    rewrite Rabs_Ropp in Hn. split.
    + assert (0 < h * m) by lra. nra.
    + apply (Rmult_lt_reg_r M); lra.
  - intros [Hpos Hlt]. apply (Rmult_lt_compat_r M) in Hlt; [| lra]. rewrite E in Hlt.
    assert (0 < h * m) by (apply Rmult_lt_0_compat; lra).
    assert (h * m <= h * M) by (apply Rmult_le_compat_l; lra).
    apply Rmax_lub_lt; apply Rabs_def1; lra.
Qed.

(** Row 29: the best step size is h = 2/(m + M), with the factor (M - m)/(M + m). *)
Theorem best_step_size : forall m M, 0 < m <= M ->
  sharp_factor m M (2 / (m + M)) = (M - m) / (M + m) /\
  forall h, (M - m) / (M + m) <= sharp_factor m M h.
Proof.
  intros m M H.
  assert (Hp : 0 <= (M - m) / (M + m)).
  { apply Rmult_le_pos; [lra | apply Rlt_le, Rinv_0_lt_compat; lra]. }
  split.
  - unfold sharp_factor.
    replace (1 - 2 / (m + M) * m) with ((M - m) / (M + m)) by (field; lra).
    replace (1 - 2 / (m + M) * M) with (- ((M - m) / (M + m))) by (field; lra).
    rewrite Rabs_Ropp, Rabs_pos_eq by exact Hp. apply Rmax_left. lra.
  - intros h. apply (Rmult_le_reg_r (M + m)); [lra |].
    replace ((M - m) / (M + m) * (M + m)) with (M - m) by (field; lra). unfold sharp_factor.
    pose proof (Rmax_l (Rabs (1 - h * m)) (Rabs (1 - h * M))).
    pose proof (Rmax_r (Rabs (1 - h * m)) (Rabs (1 - h * M))).
    pose proof (Rle_abs (1 - h * m)). pose proof (Rle_abs (- (1 - h * M))) as Hn.
    rewrite Rabs_Ropp in Hn. nra.
Qed.

(** ** Quadratics in R^d: the factor is attained *)

(** The gradient of sum_i lambda_i (x_i - c_i)^2 / 2. *)
Definition diagonal_gradient {d} (lambda c : coordinates d) : euclidean d -> euclidean d :=
  fun x i => lambda i * (x i - c i).

(** The i-th unit vector. *)
Definition unit_vector {d} (i : Fin.t d) : euclidean d := fun j => if Fin.eq_dec i j then 1 else 0.

Lemma unit_vector_nonzero : forall d (i : Fin.t d), 0 < ‖unit_vector i‖.
Proof.
  intros d i. eapply Rlt_le_trans; [apply Rlt_0_1 |].
  eapply Rle_trans; [| apply (coordinate_le_norm d (unit_vector i) i)].
  unfold unit_vector. destruct (Fin.eq_dec i i); [rewrite Rabs_R1; lra | contradiction].
Qed.

(** Along the i-th axis the step has exactly the factor |1 - h lambda_i|. *)
Lemma step_along_axis : forall d (lambda c : coordinates d) h i (x : euclidean d),
  ‖step h (diagonal_gradient lambda c) (x +v unit_vector i)
     -v step h (diagonal_gradient lambda c) x‖
  = Rabs (1 - h * lambda i) * ‖(x +v unit_vector i) -v x‖.
Proof.
  intros d lambda c h i x. rewrite <- norm_scale. f_equal.
  apply FunctionalExtensionality.functional_extensionality. intros j.
  unfold step, diagonal_gradient, sub. simpl.
  unfold unit_vector. destruct (Fin.eq_dec i j) as [-> |]; ring.
Qed.

(** Rows 7, 8 and 29: the step on a diagonal quadratic has the Lipschitz constant q if and only
    if |1 - h lambda_i| <= q for every i, so its best constant is max_i |1 - h lambda_i|. *)
Theorem diagonal_quadratic_factor : forall d (lambda c : coordinates (S d)) h q,
  (forall x y : euclidean (S d),
     ‖step h (diagonal_gradient lambda c) x -v step h (diagonal_gradient lambda c) y‖
       <= q * ‖x -v y‖)
  <-> (forall i, Rabs (1 - h * lambda i) <= q).
Proof.
  intros d lambda c h q. split.
  - intros H i. specialize (H (zero +v unit_vector i) zero). rewrite step_along_axis in H.
    replace (zero +v unit_vector i -v zero) with (unit_vector i) in H by vec.
    apply (Rmult_le_reg_r (‖unit_vector i‖)); [apply unit_vector_nonzero | exact H].
  - intros H x y.
    assert (Hq : 0 <= q).
    { specialize (H Fin.F1). pose proof (Rabs_pos (1 - h * lambda Fin.F1)). lra. }
    pose proof (norm_nonneg (x -v y)).
    apply norm_le_of_sq; [apply Rmult_le_pos; assumption |].
    replace (q * ‖x -v y‖ * (q * ‖x -v y‖)) with (q * q * (‖x -v y‖ * ‖x -v y‖)) by ring.
    rewrite norm_sq. unfold step, diagonal_gradient, sub.
    set (n := S d) in *. simpl. unfold dot. rewrite <- sum_fin_scale. apply sum_fin_le. intros i.
    replace ((x i + -1 * (h * (lambda i * (x i - c i)))
              + -1 * (y i + -1 * (h * (lambda i * (y i - c i))))))
      with ((1 - h * lambda i) * (x i + -1 * y i)) by ring.
    assert (Hs : (1 - h * lambda i) * (1 - h * lambda i) <= q * q).
    { fold (Rsqr (1 - h * lambda i)) (Rsqr q). apply Rsqr_le_abs_1.
      rewrite (Rabs_pos_eq q) by exact Hq. apply H. }
    pose proof (Rle_0_sqr (x i + -1 * y i)). unfold Rsqr in *. nra.
Qed.

(** Row 29: where m and M are among the lambda_i, the sharp factor is attained (no smaller
    constant serves), so sharp_factor_for_gradients cannot be improved. *)
Theorem sharp_factor_attained : forall d (lambda c : coordinates (S d)) m M h i j q,
  lambda i = m -> lambda j = M ->
  (forall x y : euclidean (S d),
     ‖step h (diagonal_gradient lambda c) x -v step h (diagonal_gradient lambda c) y‖
       <= q * ‖x -v y‖) ->
  sharp_factor m M h <= q.
Proof.
  intros d lambda c m M h i j q <- <- H0.
  pose proof (proj1 (diagonal_quadratic_factor d lambda c h q) H0) as H.
  apply Rmax_lub; apply H.
Qed.

(** Row 8: "h < 2/lambda_max" alone does not make 1 - hH a contraction. With H = diag(0, 4) and
    h = 2/5 < 2/4 every Lipschitz constant q is at least 1; with H = diag(-1/10, 4), at least
    26/25; and h may not be negative: H = diag(1, 4) with h = -1/10 has q >= 7/5. *)
Theorem positive_definite_and_positive_step_needed : forall q,
  let has_constant h lambda := forall x y : euclidean 2,
    ‖step h (diagonal_gradient lambda (fun _ => 0)) x
       -v step h (diagonal_gradient lambda (fun _ => 0)) y‖ <= q * ‖x -v y‖ in
  (has_constant (2 / 5) (plane 0 4) -> 1 <= q) /\
  (has_constant (2 / 5) (plane (-1 / 10) 4) -> 26 / 25 <= q) /\
  (has_constant (-1 / 10) (plane 1 4) -> 7 / 5 <= q).
Proof.
  intros q has_constant. unfold has_constant.
  split; [| split]; intros H0;
    pose proof (proj1 (diagonal_quadratic_factor 1 _ _ _ q) H0) as H;
    [specialize (H Fin.F1) | specialize (H Fin.F1) | specialize (H (Fin.FS Fin.F1))];
    unfold plane in H; simpl in H; rewrite Rabs_pos_eq in H; lra.
Qed.

(** ** Theorem 2.2 for gradient steps *)

(** Section 2.1: batch losses F_i with common constants 0 < m <= M, a step 0 < h < 2/M, and
    gradients bounded at one point: |g_i(x0)| <= G. Then the backward iterates of SGD converge,
    with k = max(|1 - hm|, |1 - hM|) and D = h G. *)
Theorem backward_sgd_converges :
  forall {E : InnerProductSpace} (F : nat -> E -> R) (g : nat -> E -> E) m M h G (x0 : E),
  complete (norm_metric E) -> 0 < m <= M -> 0 < h < 2 / M ->
  (forall i, gradient_of (F i) (g i)) -> (forall i, strongly_monotone m (g i)) ->
  (forall i, lipschitz_field M (g i)) -> (forall i, (1 <= i)%nat -> ‖g i x0‖ <= G) ->
  let T := fun i => step h (g i) in let k := sharp_factor m M h in
  k < 1 /\ exists limit : E,
    (forall x, converges (X := norm_metric E) (fun n => backward T n x) limit) /\
    (forall x n, ‖limit -v backward T n x‖ <= (h * G / (1 - k) + ‖x0 -v x‖) * k ^ n).
Proof.
  intros E F g m M h G x0 HE Hm Hh HF Hmono Hlip HG T k.
  assert (Hk : k < 1) by (apply sharp_factor_contracts_iff; assumption). split; [exact Hk |].
  assert (Hk0 : 0 <= k) by (unfold k, sharp_factor; pose proof (Rabs_pos (1 - h * m));
    pose proof (Rmax_l (Rabs (1 - h * m)) (Rabs (1 - h * M))); lra).
  destruct (backward_contraction (X := norm_metric E) T k (h * G) x0) as (limit & H1 & _ & H2).
  - exact HE.
  - lra.
  - intros i _ x y. apply (sharp_factor_for_gradients (F i)); auto. lra.
  - intros i Hi. simpl. unfold T, step. replace (x0 -v (x0 -v h *v g i x0)) with (h *v g i x0) by vec.
    rewrite norm_scale, Rabs_pos_eq by lra. apply Rmult_le_compat_l; [lra | auto].
  - exists limit. split; [exact H1 | exact H2].
Qed.
