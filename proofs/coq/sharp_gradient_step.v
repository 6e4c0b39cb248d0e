(** Lemma 2.5, the sharp factor for gradients, max(|1 - hm|, |1 - hM|), in any real inner-product
    space, and Theorem 2.2 for such steps. diagonal_quadratics.v shows that it is attained. *)

From Coq Require Import Reals Lra Lia.
From TrainingInReverse Require Import metric_spaces compositions backward_contraction
  inner_product_spaces strongly_convex_step.
Local Open Scope R_scope.
Local Open Scope vec_scope.

(** g is the gradient of F: d/dt F(x + t v) = <g x, v> at t = 0, for all x and v. *)
Definition gradient_of {E : InnerProductSpace} (F : E -> R) (g : E -> E) : Prop :=
  forall x v, derivable_pt_lim (fun t => F (x +v t *v v)) 0 ⟨g x, v⟩.

(** The sharp factor for gradients. *)
Definition sharp_factor (m M h : R) : R := Rmax (Rabs (1 - h * m)) (Rabs (1 - h * M)).

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
