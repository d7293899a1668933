/*
 * sgt for C: saliency-guided training, attack steps and a small network, without heap or panic.
 *
 * Made by cbindgen from sgt-core/capi/src; not edited by hand.
 *
 * Pointers: every buffer has at least the values that its function says, is aligned for its type,
 * and no buffer that is written overlaps another. Null, or a misaligned address, is refused. A
 * function that refuses its arguments (a status that is not SGT_STATUS_OK) leaves outputs untouched.
 */

#ifndef SGT_H
#define SGT_H

#include <stddef.h>
#include <stdint.h>

/*
 The largest change of a value is bounded.
 */
#define SGT_NORM_LINF 0

/*
 The root of the changes' squares is.
 */
#define SGT_NORM_L2 1

/*
 Away from the true class.
 */
#define SGT_GOAL_UNTARGETED 0

/*
 Towards a chosen class.
 */
#define SGT_GOAL_TARGETED 1

/*
 Gradients over the mean of their magnitudes: torchattacks.
 */
#define SGT_MOMENTUM_MEAN_ABSOLUTE 0

/*
 Over the sum of their magnitudes: the paper.
 */
#define SGT_MOMENTUM_L1 1

/*
 All channels of a position are ranked and replaced together.
 */
#define SGT_GROUP_POSITION 0

/*
 Each value for itself.
 */
#define SGT_GROUP_CELL 1

/*
 The mean of a group's gradients ranks it.
 */
#define SGT_REDUCTION_MEAN 0

/*
 Their sum.
 */
#define SGT_REDUCTION_SUM 1

/*
 The gradient itself: the most negative are the least important.
 */
#define SGT_IMPORTANCE_SIGNED 0

/*
 Its magnitude.
 */
#define SGT_IMPORTANCE_ABSOLUTE 1

/*
 All groups of the sample compete.
 */
#define SGT_SCOPE_SAMPLE 0

/*
 The cells of each step among themselves.
 */
#define SGT_SCOPE_PER_STEP 1

/*
 The least important are replaced.
 */
#define SGT_END_LOWEST 0

/*
 The most important.
 */
#define SGT_END_HIGHEST 1

/*
 Uniform in the channel's range.
 */
#define SGT_POLICY_UNIFORM 0

/*
 Zero.
 */
#define SGT_POLICY_ZERO 1

/*
 `policy_values[0]`.
 */
#define SGT_POLICY_CONSTANT 2

/*
 The channel's mean.
 */
#define SGT_POLICY_MEAN 3

/*
 Normal with the mean `policy_values[0]` and the deviation `policy_values[1]`.
 */
#define SGT_POLICY_GAUSSIAN 4

/*
 The channel's value at the first position.
 */
#define SGT_POLICY_BACKGROUND 5

/*
 The same feature of another sample of the batch.
 */
#define SGT_POLICY_PERMUTE 6

/*
 The nearest previous position that is kept.
 */
#define SGT_POLICY_PREVIOUS_SALIENT 7

/*
 The true class's logit.
 */
#define SGT_SCORE_TRUE_LOGIT 0

/*
 Its log-probability.
 */
#define SGT_SCORE_TRUE_LOG_PROB 1

/*
 The largest logit.
 */
#define SGT_SCORE_PREDICTED_LOGIT 2

/*
 The cross-entropy.
 */
#define SGT_SCORE_LOSS 3

/*
 Stochastic gradient descent.
 */
#define SGT_OPTIMIZER_SGD 0

/*
 Adam.
 */
#define SGT_OPTIMIZER_ADAM 1

/*
 What a call says. Nothing was written unless it is `SGT_STATUS_OK`.
 */
enum SgtStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Done.
   */
  SGT_STATUS_OK,
  /*
   A pointer is null or misaligned, or a count is beyond memory.
   */
  SGT_STATUS_POINTER,
  /*
   A constant of this header (a policy, a norm, a layer's tag) that is none.
   */
  SGT_STATUS_CONSTANT,
  /*
   An argument holds no value.
   */
  SGT_STATUS_EMPTY,
  /*
   An argument has the wrong length, or scratch is too short.
   */
  SGT_STATUS_LENGTH,
  /*
   More groups were to be selected than there are.
   */
  SGT_STATUS_TOO_MANY,
  /*
   An argument holds NaN or an infinity.
   */
  SGT_STATUS_NON_FINITE,
  /*
   The label is not a class.
   */
  SGT_STATUS_LABEL,
  /*
   An argument lies outside its domain.
   */
  SGT_STATUS_RANGE,
  /*
   The index type cannot count that many groups.
   */
  SGT_STATUS_INDEX_TYPE,
  /*
   A layer of the table does not fit.
   */
  SGT_STATUS_LAYER,
  /*
   The combination has no meaning.
   */
  SGT_STATUS_UNSUPPORTED,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum SgtStatus SgtStatus;
#else
typedef uint8_t SgtStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 Which axis of a sample is the outer one in memory.
 */
enum SgtOrder
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   `[channels, positions]`: images `[channels, height × width]`, series `[channels, time]`.
   */
  SGT_ORDER_CHANNELS_FIRST,
  /*
   `[positions, channels]`: series `[time, channels]`, text `[tokens, dim]`.
   */
  SGT_ORDER_CHANNELS_LAST,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum SgtOrder SgtOrder;
#else
typedef uint8_t SgtOrder;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 What an attacker may do.
 */
typedef struct {
  /*
   `SGT_NORM_…`
   */
  uint8_t norm;
  /*
   `SGT_GOAL_…`
   */
  uint8_t goal;
  /*
   The radius, in input units.
   */
  float epsilon;
  /*
   The smallest valid input; may be minus infinity.
   */
  float low;
  /*
   The largest.
   */
  float high;
} SgtThreat;

/*
 PCG32, not cryptographic. Begun by `sgt_random_init`.
 */
typedef struct {
  /*
   Its state.
   */
  uint64_t state;
  /*
   Its stream.
   */
  uint64_t increment;
} SgtRandom;

/*
 One sample's loss and its terms, unscaled; a term that an objective lacks is 0.
 */
typedef struct {
  /*
   The objective's value.
   */
  float total;
  /*
   The cross-entropy of the clean sample.
   */
  float clean;
  /*
   That of the adversarial one.
   */
  float adversarial;
  /*
   The divergence, before lambda.
   */
  float divergence;
} SgtLosses;

/*
 Everything that decides how a sample is masked. Begin with `sgt_masking_reference`.
 */
typedef struct {
  /*
   Positions of a sample: time steps.
   */
  size_t positions;
  /*
   Values at each.
   */
  size_t channels;
  /*
   The first position that is no padding.
   */
  size_t first_valid;
  /*
   How many are not; 0 for all behind the first.
   */
  size_t valid;
  /*
   `SGT_ORDER_…`
   */
  uint8_t order;
  /*
   `SGT_GROUP_…`
   */
  uint8_t group;
  /*
   `SGT_REDUCTION_…`
   */
  uint8_t reduction;
  /*
   `SGT_IMPORTANCE_…`
   */
  uint8_t importance;
  /*
   `SGT_SCOPE_…`
   */
  uint8_t scope;
  /*
   `SGT_END_…`
   */
  uint8_t end;
  /*
   `SGT_POLICY_…`
   */
  uint8_t policy;
  /*
   The share of groups to replace, in [0, 1].
   */
  float fraction;
  /*
   What the policy needs.
   */
  float policy_values[2];
} SgtMasking;

/*
 A rule that changes parameters by their gradient, with PyTorch's formulas.
 */
typedef struct {
  /*
   `SGT_OPTIMIZER_…`
   */
  uint8_t kind;
  /*
   The learning rate.
   */
  float rate;
  /*
   SGD's momentum; 0 needs no state.
   */
  float momentum;
  /*
   The L2 penalty.
   */
  float weight_decay;
  /*
   Adam's.
   */
  float betas[2];
  /*
   Adam's.
   */
  float epsilon;
  /*
   Adam's memory of its steps: zeros in front of the first.
   */
  float corrections[2];
} SgtOptimizer;

/*
 `out[o] = bias[o] + Σ_i weight[o, i] · x[i]`, the bias first, then `i` ascending.

 Reads a vector. Parameters: `weight [outputs, inputs]`, then `bias [outputs]`, as in PyTorch's
 `Linear`.
 */
typedef struct {
  /*
   Values of the output.
   */
  size_t outputs;
} SgtDense;

/*
 A window of `kernel` taps. Tap `k` of output `t` reads the position
 `t · stride + k · dilation − padding[0]`; there is nothing (a zero) outside the series.
 */
typedef struct {
  /*
   Taps.
   */
  size_t kernel;
  /*
   Distance of neighbouring outputs.
   */
  size_t stride;
  /*
   Zeros in front of and behind the series.
   */
  size_t padding[2];
  /*
   Distance of neighbouring taps, at most the padded series.
   */
  size_t dilation;
} SgtWindow;

/*
 `out[t, o] = bias[o] + Σ_i Σ_k weight[o, i, k] · x[t · stride + k · dilation − padding[0], i]`,
 the bias first, then channels, for each its taps ascending; products with padding are summed as
 zeros.

 Parameters: `weight [outputs, inputs, kernel]`, then `bias [outputs]`, as in PyTorch's `Conv1d`.
 */
typedef struct {
  /*
   Channels of the output.
   */
  size_t outputs;
  /*
   What each output sees.
   */
  SgtWindow window;
} SgtConvolution;

/*
 `out[t, c] = bias[c] + Σ_k weight[c, k] · x[t · stride + k · dilation − padding[0], c]`, the bias
 first, then taps ascending.

 Parameters: `weight [channels, 1, kernel]`, then `bias [channels]`, as in PyTorch's `Conv1d` with
 as many groups as channels.
 */
typedef struct {
  /*
   What each output sees.
   */
  SgtWindow window;
} SgtDepthwise;

/*
 One layer over the steps of a series from zero states; its output is the last step's state `h`,
 a vector (Hochreiter and Schmidhuber 1997, in PyTorch's form):

 `i, f, o = σ(…)`, `g = tanh(…)` of `(b_ih + b_hh) + W_ih·x_t + W_hh·h_{t−1}`, summed in this
 order; `c_t = f·c_{t−1} + i·g`, `h_t = o·tanh(c_t)`, with `σ(z) = 1 / (1 + e^{−z})`.

 Parameters: `weight_ih [4 · hidden, inputs]`, `weight_hh [4 · hidden, hidden]`, `bias_ih` and
 `bias_hh [4 · hidden]`, gates in the order i, f, g, o.
 */
typedef struct {
  /*
   Values of the state.
   */
  size_t hidden;
} SgtLstm;

/*
 One layer of a table.

 In memory it is a C union behind a byte that tells the layer, numbered from 0 in this order, so
 that a table of a C program is one of these as it lies in flash.
 */
enum SgtLayer_Tag
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Every output sees every value of a vector.
   */
  SGT_LAYER_DENSE,
  /*
   A convolution over the positions.
   */
  SGT_LAYER_CONVOLUTION,
  /*
   A convolution of each channel with itself.
   */
  SGT_LAYER_DEPTHWISE,
  /*
   The largest value of each window, ties to the first; padding is never the largest.
   */
  SGT_LAYER_MAX_POOL,
  /*
   The mean of each window; zeros of the padding count.
   */
  SGT_LAYER_AVERAGE_POOL,
  /*
   The mean over all positions: a vector of channels.
   */
  SGT_LAYER_GLOBAL_AVERAGE_POOL,
  /*
   `max(x, 0)`; its derivative at 0 is 0, and NaN stays NaN.
   */
  SGT_LAYER_RELU,
  /*
   A vector of all values: channel after channel (`ChannelsFirst`, PyTorch's behind
   convolutions) or position after position (`ChannelsLast`, which costs nothing).
   */
  SGT_LAYER_FLATTEN,
  /*
   Where a way around the layers up to the next [`Layer::ResidualAdd`] begins. One at a time.
   */
  SGT_LAYER_RESIDUAL_START,
  /*
   Adds what [`Layer::ResidualStart`] read.
   */
  SGT_LAYER_RESIDUAL_ADD,
  /*
   A long short-term memory, its last state.
   */
  SGT_LAYER_LSTM,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum SgtLayer_Tag SgtLayer_Tag;
#else
typedef uint8_t SgtLayer_Tag;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

typedef struct {
  SgtLayer_Tag tag;
  union {
    struct {
      SgtDense dense;
    };
    struct {
      SgtConvolution convolution;
    };
    struct {
      SgtDepthwise depthwise;
    };
    struct {
      SgtWindow max_pool;
    };
    struct {
      SgtWindow average_pool;
    };
    struct {
      SgtOrder flatten;
    };
    struct {
      SgtLstm lstm;
    };
  };
} SgtLayer;

/*
 A table of layers for windows of one shape. It is checked by every call; a layer of a kind that the
 library was built without does not fit.
 */
typedef struct {
  /*
   The table, in flash perhaps.
   */
  const SgtLayer *layers;
  /*
   Its layers.
   */
  size_t layer_count;
  /*
   Positions of a window: time steps.
   */
  size_t positions;
  /*
   Values at each.
   */
  size_t channels;
} SgtNetwork;

/*
 Sizes of everything that a caller provides, in values.
 */
typedef struct {
  /*
   Of a window.
   */
  size_t input;
  /*
   Logits.
   */
  size_t classes;
  /*
   All parameters.
   */
  size_t parameters;
  /*
   The last layer's.
   */
  size_t last_layer;
  /*
   Multiplications of an inference.
   */
  size_t products;
  /*
   Scratch of `sgt_infer`.
   */
  size_t inference;
  /*
   Scratch of `sgt_saliency` and `sgt_standard_step`.
   */
  size_t saliency;
  /*
   Scratch of `sgt_sgt_step`.
   */
  size_t sgt;
  /*
   Scratch of `sgt_infer_quantized`, in bytes.
   */
  size_t quantized;
} SgtSizes;

/*
 The parameters, layer after layer: those that stay, then those that training changes.
 */
typedef struct {
  /*
   Those of the layers in front, in flash perhaps.
   */
  const float *frozen;
  /*
   How many.
   */
  size_t frozen_len;
  /*
   Those of the layers behind; null where nothing is trained.
   */
  const float *trained;
  /*
   How many.
   */
  size_t trained_len;
} SgtParameters;

/*
 The factor from one scale to another: `multiplier / 2^shift`.
 */
typedef struct {
  /*
   Not negative; `2³⁰` or more for 31 bits of precision.
   */
  int32_t multiplier;
  /*
   1 to 62.
   */
  uint32_t shift;
} SgtRescale;

/*
 What a number of an activation means: `(q − zero) · scale`.
 */
typedef struct {
  /*
   What a step of `q` is worth, positive.
   */
  float scale;
  /*
   The `q` of 0.
   */
  int8_t zero;
} SgtActivation;

/*
 A network's parameters in 8-bit integers, as `sgt export --quantize int8` writes them.
 */
typedef struct {
  /*
   The weights, layer after layer.
   */
  const int8_t *weights;
  /*
   How many.
   */
  size_t weights_len;
  /*
   A bias for each output channel.
   */
  const int32_t *biases;
  /*
   How many.
   */
  size_t biases_len;
  /*
   From each layer's sums to its output.
   */
  const SgtRescale *rescales;
  /*
   How many.
   */
  size_t rescales_len;
  /*
   What the input's and each layer's numbers mean.
   */
  const SgtActivation *activations;
  /*
   How many: one more than layers.
   */
  size_t activations_len;
} SgtQuantized;

/*
 What learns: the memory of training.
 */
typedef struct {
  /*
   The parameters of the layers in front, which stay.
   */
  const float *frozen;
  /*
   How many.
   */
  size_t frozen_len;
  /*
   The parameters that are trained: all, or those of the last layers.
   */
  float *trained;
  /*
   One value a trained parameter, overwritten by each step.
   */
  float *gradient;
  /*
   How many are trained.
   */
  size_t trained_len;
  /*
   The rule.
   */
  SgtOptimizer optimizer;
  /*
   The rule's state, zeros in front of the first step: as many as are trained with momentum,
   twice as many for Adam, none otherwise.
   */
  float *state;
  /*
   How many.
   */
  size_t state_len;
} SgtLearner;





#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 `out = x + epsilon · sign gradient`, clipped to the bounds. All have `len` values.
 */
SgtStatus sgt_fgsm(const SgtThreat *threat,
                   const float *x,
                   const float *gradient,
                   size_t len,
                   float *out);

/*
 One step of PGD of size `alpha` from `x`, back into the ball around `origin` and the bounds.
 */
SgtStatus sgt_pgd_step(const SgtThreat *threat,
                       const float *origin,
                       const float *gradient,
                       size_t len,
                       float alpha,
                       float *x);

/*
 One step of MI-FGSM; `momentum` has `len` values, zeros in front of the first step; `scale` is one
 of `SGT_MOMENTUM_…`.
 */
SgtStatus sgt_mi_fgsm_step(const SgtThreat *threat,
                           const float *origin,
                           const float *gradient,
                           size_t len,
                           float alpha,
                           float decay,
                           uint8_t scale,
                           float *momentum,
                           float *x);

/*
 Moves `x` into the ball around `origin` and the bounds.
 */
SgtStatus sgt_project(const SgtThreat *threat, const float *origin, size_t len, float *x);

/*
 A random point of the ball around `origin` within the bounds.
 */
SgtStatus sgt_random_start(const SgtThreat *threat,
                           const float *origin,
                           size_t len,
                           SgtRandom *random,
                           float *out);

/*
 `origin` with noise of the ball's radius, within the bounds: an attack's control.
 */
SgtStatus sgt_random_noise(const SgtThreat *threat,
                           const float *origin,
                           size_t len,
                           SgtRandom *random,
                           float *out);

/*
 The probabilities of `classes` logits.
 */
SgtStatus sgt_softmax(const float *logits, size_t classes, float *out);

/*
 Their logarithms.
 */
SgtStatus sgt_log_softmax(const float *logits, size_t classes, float *out);

/*
 Writes the cross-entropy to `loss`, and adds `scale` times its gradient to the `classes` values
 of `gradient`.
 */
SgtStatus sgt_cross_entropy(const float *logits,
                            size_t classes,
                            size_t label,
                            float scale,
                            float *loss,
                            float *gradient);

/*
 Writes KL(p || q) of two rows of logits to `divergence`, and adds `scale` times its gradients to
 `p_gradient` and `q_gradient`.
 */
SgtStatus sgt_kl_divergence(const float *p_logits,
                            const float *q_logits,
                            size_t classes,
                            float scale,
                            float *divergence,
                            float *p_gradient,
                            float *q_gradient);

/*
 Saliency-guided training: CE(f(x), y) + lambda KL(f(x) || f(masked x)). Writes `losses`, adds
 `scale` times the gradients of both rows of logits to theirs.
 */
SgtStatus sgt_objective(const float *clean,
                        const float *masked,
                        size_t classes,
                        size_t label,
                        float lambda,
                        float scale,
                        SgtLosses *losses,
                        float *clean_gradient,
                        float *masked_gradient);

/*
 Adversarial training: CE(f(x), y) + CE(f(x'), y).
 */
SgtStatus sgt_adversarial_objective(const float *clean,
                                    const float *adversarial,
                                    size_t classes,
                                    size_t label,
                                    float scale,
                                    SgtLosses *losses,
                                    float *clean_gradient,
                                    float *adversarial_gradient);

/*
 Adversarial saliency-guided training:
 CE(f(x), y) + CE(f(x'), y) + lambda KL(f(masked x') || f(x)).
 */
SgtStatus sgt_asgt_objective(const float *clean,
                             const float *adversarial,
                             const float *masked,
                             size_t classes,
                             size_t label,
                             float lambda,
                             float scale,
                             SgtLosses *losses,
                             float *clean_gradient,
                             float *adversarial_gradient,
                             float *masked_gradient);

/*
 The published method for series `[positions, channels]`: signed ranking of all cells, half of
 them, uniform.
 */
SgtMasking sgt_masking_reference(size_t positions, size_t channels);

/*
 Writes how many groups a call replaces: the values that `indices` must hold.
 */
SgtStatus sgt_masked_count(const SgtMasking *masking, size_t *count);

/*
 Ranks the groups of one sample by `gradient` and copies it to `out` with the selected groups
 replaced; `gradient`, `sample` and `out` have `len` values, positions times channels. Writes the
 replaced groups' numbers to the first of the `indices_len` `indices` (`sgt_masked_count`).

 `batch` holds `batch_len` values of whole samples, of which this is number `own`; only
 `SGT_POLICY_PERMUTE` reads it, others take a null pointer and 0.
 */
SgtStatus sgt_mask_sample(const SgtMasking *masking,
                          const float *gradient,
                          const float *sample,
                          size_t len,
                          const float *batch,
                          size_t batch_len,
                          size_t own,
                          SgtRandom *random,
                          uint16_t *indices,
                          size_t indices_len,
                          float *out);

/*
 SGD without momentum.
 */
SgtOptimizer sgt_sgd(float rate);

/*
 Adam with PyTorch's constants.
 */
SgtOptimizer sgt_adam(float rate);

/*
 Checks a table and writes the sizes of what a caller provides. `SGT_STATUS_LAYER` says that a
 layer does not fit what the layers in front give.
 */
SgtStatus sgt_network_sizes(const SgtNetwork *network, SgtSizes *sizes);

/*
 `(x - mean) / deviation`, channel by channel, over the `len` values of a window
 `[positions, channels]`.
 */
SgtStatus sgt_standardize(float *window,
                          size_t len,
                          const float *mean,
                          const float *deviation,
                          size_t channels);

/*
 Writes the logits of one window (`SgtSizes`: `input` values, `classes` logits). `scratch` has
 `scratch_len` values, at least `inference`.
 */
SgtStatus sgt_infer(const SgtNetwork *network,
                    const SgtParameters *parameters,
                    const float *input,
                    float *scratch,
                    size_t scratch_len,
                    float *logits);

/*
 Writes the logits of one window, computed in 8-bit integers. `scratch` has at least `quantized`
 bytes.
 */
SgtStatus sgt_infer_quantized(const SgtNetwork *network,
                              const SgtQuantized *quantized,
                              const float *input,
                              int8_t *scratch,
                              size_t scratch_len,
                              float *logits);

/*
 Writes the logits of one window, and its saliency: the gradient of `score` (`SGT_SCORE_…`) for the
 class `label` with respect to each of its values. `scratch` has at least `saliency` values.
 */
SgtStatus sgt_saliency(const SgtNetwork *network,
                       const SgtParameters *parameters,
                       const float *input,
                       uint8_t score,
                       size_t label,
                       float *scratch,
                       size_t scratch_len,
                       float *logits,
                       float *saliency);

/*
 One step on a window's cross-entropy. `scratch` has at least `saliency` values.
 */
SgtStatus sgt_standard_step(const SgtNetwork *network,
                            SgtLearner *learner,
                            const float *input,
                            size_t label,
                            float *scratch,
                            size_t scratch_len,
                            SgtLosses *losses);

/*
 One step of saliency-guided training on a window: saliency by `score`, masking, both passes, the
 loss with `lambda`, its gradient and the update. `scratch` has at least `sgt` values, `indices` as
 many as `sgt_masked_count` says.
 */
SgtStatus sgt_sgt_step(const SgtNetwork *network,
                       SgtLearner *learner,
                       const float *input,
                       size_t label,
                       const SgtMasking *masking,
                       uint8_t score,
                       float lambda,
                       SgtRandom *random,
                       float *scratch,
                       size_t scratch_len,
                       uint16_t *indices,
                       size_t indices_len,
                       SgtLosses *losses);

/*
 Begins the stream `stream` of the generator with `seed`.
 */
SgtStatus sgt_random_init(SgtRandom *random, uint64_t seed, uint64_t stream);

/*
 Writes `len` numbers of the standard normal distribution.
 */
SgtStatus sgt_random_normal(SgtRandom *random, float *out, size_t len);

/*
 A status in words, for a log.
 */
const char *sgt_status_text(uint8_t status);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SGT_H */
