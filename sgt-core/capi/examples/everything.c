/* Every call of sgt.h once. What it prints is compared with `expected.txt`, which holds what the same
 * calls give in Rust (tests/capi.rs). */
#include "report.h"
#include "sgt.h"

enum { STEPS = 12, CHANNELS = 3, LEN = STEPS * CHANNELS, CLASSES = 4, TRAINING_STEPS = 5 };

static const SgtLayer LAYERS[] = {
    {.tag = SGT_LAYER_CONVOLUTION,
     .convolution = {.outputs = 5,
                     .window = {.kernel = 3, .stride = 1, .padding = {1, 1}, .dilation = 1}}},
    {.tag = SGT_LAYER_RELU},
    {.tag = SGT_LAYER_MAX_POOL,
     .max_pool = {.kernel = 2, .stride = 2, .padding = {0, 0}, .dilation = 1}},
    {.tag = SGT_LAYER_FLATTEN, .flatten = SGT_ORDER_CHANNELS_FIRST},
    {.tag = SGT_LAYER_DENSE, .dense = {.outputs = CLASSES}},
};
enum {
  LAYER_COUNT = sizeof LAYERS / sizeof LAYERS[0],
  PARAMETERS = 5 * 3 * 3 + 5 + 30 * CLASSES + CLASSES,
  SCRATCH = 512
};

static float parameters[PARAMETERS], gradient[PARAMETERS], state[2 * PARAMETERS];
static float scratch[SCRATCH], window[LEN], slope[LEN], out[LEN], momentum[LEN], map[LEN];
static uint16_t indices[LEN];
static int all_good = 1;

/* `name` and the hash in 16 digits. */
static void report(const char *name, uint64_t hash) {
  char digits[19];
  for (int i = 0; i < 16; i++) {
    digits[i] = "0123456789abcdef"[(hash >> (60 - 4 * i)) & 15u];
  }
  digits[16] = '\n';
  digits[17] = '\0';
  print(name);
  print(" ");
  print(digits);
}

static void must(SgtStatus status) {
  if (status != SGT_STATUS_OK) {
    print(sgt_status_text(status));
    print("\n");
    all_good = 0;
  }
}

static void must_refuse(SgtStatus found, SgtStatus expected) {
  if (found != expected) {
    print("a call was not refused as it should be: ");
    print(sgt_status_text(found));
    print("\n");
    all_good = 0;
  }
}

static void zero(float *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    values[i] = 0.0f;
  }
}

static void masking_calls(SgtRandom *random) {
  SgtMasking masking = sgt_masking_reference(STEPS, CHANNELS);
  size_t count = 0;
  must(sgt_masked_count(&masking, &count));
  uint64_t hash = FNV_START;
  const uint8_t policies[] = {SGT_POLICY_UNIFORM, SGT_POLICY_ZERO,     SGT_POLICY_CONSTANT,
                              SGT_POLICY_MEAN,    SGT_POLICY_GAUSSIAN, SGT_POLICY_BACKGROUND};
  for (size_t i = 0; i < sizeof policies; i++) {
    masking.policy = policies[i];
    masking.policy_values[0] = 0.25f;
    masking.policy_values[1] = 2.0f;
    must(sgt_mask_sample(&masking, slope, window, LEN, NULL, 0, 0, random, indices, count, out));
    hash = fnv(hash, out, LEN);
  }
  report("masking", hash);
}

static void loss_calls(void) {
  const float *p = window, *q = window + CLASSES, *r = window + 2 * CLASSES;
  float dp[CLASSES] = {0}, dq[CLASSES] = {0}, dr[CLASSES] = {0}, loss = 0.0f;
  SgtLosses losses;
  uint64_t hash = FNV_START;
  must(sgt_softmax(p, CLASSES, out));
  hash = fnv(hash, out, CLASSES);
  must(sgt_log_softmax(p, CLASSES, out));
  hash = fnv(hash, out, CLASSES);
  must(sgt_cross_entropy(p, CLASSES, 1, 0.5f, &loss, dp));
  hash = fnv(hash, &loss, 1);
  must(sgt_kl_divergence(p, q, CLASSES, 0.5f, &loss, dp, dq));
  hash = fnv(hash, &loss, 1);
  must(sgt_objective(p, q, CLASSES, 2, 1.5f, 0.5f, &losses, dp, dq));
  hash = fnv(hash, &losses.total, 1);
  must(sgt_adversarial_objective(p, q, CLASSES, 2, 0.5f, &losses, dp, dq));
  hash = fnv(hash, &losses.total, 1);
  must(sgt_asgt_objective(p, q, r, CLASSES, 2, 1.5f, 0.5f, &losses, dp, dq, dr));
  hash = fnv(hash, &losses.total, 1);
  hash = fnv(fnv(fnv(hash, dp, CLASSES), dq, CLASSES), dr, CLASSES);
  report("losses", hash);
}

static void attack_calls(SgtRandom *random) {
  uint64_t hash = FNV_START;
  for (uint8_t norm = SGT_NORM_LINF; norm <= SGT_NORM_L2; norm++) {
    const SgtThreat threat = {
        .norm = norm, .goal = SGT_GOAL_UNTARGETED, .epsilon = 0.3f, .low = -4.0f, .high = 4.0f};
    must(sgt_fgsm(&threat, window, slope, LEN, out));
    hash = fnv(hash, out, LEN);
    must(sgt_random_noise(&threat, window, LEN, random, out));
    hash = fnv(hash, out, LEN);
    must(sgt_random_start(&threat, window, LEN, random, out));
    must(sgt_pgd_step(&threat, window, slope, LEN, 0.1f, out));
    zero(momentum, LEN);
    must(sgt_mi_fgsm_step(&threat, window, slope, LEN, 0.1f, 1.0f, SGT_MOMENTUM_MEAN_ABSOLUTE,
                          momentum, out));
    must(sgt_project(&threat, window, LEN, out));
    hash = fnv(fnv(hash, out, LEN), momentum, LEN);
  }
  report("attacks", hash);
}

static void network_calls(SgtRandom *random) {
  const SgtNetwork network = {LAYERS, LAYER_COUNT, STEPS, CHANNELS};
  SgtSizes sizes;
  must(sgt_network_sizes(&network, &sizes));
  if (sizes.parameters != PARAMETERS || sizes.sgt > SCRATCH) {
    print("other sizes\n");
    all_good = 0;
    return;
  }
  for (size_t i = 0; i < PARAMETERS; i++) {
    parameters[i] *= 0.3f;
  }
  const SgtParameters whole = {parameters, PARAMETERS, NULL, 0};
  float logits[CLASSES];
  must(sgt_infer(&network, &whole, window, scratch, SCRATCH, logits));
  report("inference", fnv(FNV_START, logits, CLASSES));
  uint64_t hash = FNV_START;
  for (uint8_t score = SGT_SCORE_TRUE_LOGIT; score <= SGT_SCORE_LOSS; score++) {
    must(sgt_saliency(&network, &whole, window, score, 1, scratch, SCRATCH, logits, map));
    hash = fnv(fnv(hash, logits, CLASSES), map, LEN);
  }
  report("saliency", hash);

  const SgtMasking masking = sgt_masking_reference(STEPS, CHANNELS);
  const SgtOptimizer rules[] = {sgt_sgd(0.05f), sgt_adam(0.01f)};
  SgtLosses losses;
  for (size_t rule = 0; rule < 2; rule++) {
    zero(state, 2 * PARAMETERS);
    SgtLearner learner = {.trained = parameters,
                          .gradient = gradient,
                          .trained_len = PARAMETERS,
                          .optimizer = rules[rule],
                          .state = rule == 0 ? NULL : state,
                          .state_len = rule == 0 ? 0 : 2 * PARAMETERS};
    hash = FNV_START;
    for (int step = 0; step < TRAINING_STEPS; step++) {
      must(sgt_sgt_step(&network, &learner, window, 1, &masking, SGT_SCORE_TRUE_LOGIT, 1.0f, random,
                        scratch, SCRATCH, indices, LEN, &losses));
      hash = fnv(hash, &losses.total, 1);
      must(sgt_standard_step(&network, &learner, window, 2, scratch, SCRATCH, &losses));
      hash = fnv(hash, &losses.total, 1);
    }
    report(rule == 0 ? "training by SGD" : "training by Adam",
           fnv(hash, parameters, PARAMETERS));
  }
  const float mean[CHANNELS] = {0.5f, -1.0f, 0.25f}, deviation[CHANNELS] = {2.0f, 0.7f, 1.3f};
  must(sgt_standardize(window, LEN, mean, deviation, CHANNELS));
  report("standardised", fnv(FNV_START, window, LEN));
}

/* A dense layer in integers: inputs in steps of 1/64, weights of 1/32, outputs of 1/16. */
static void quantized_calls(void) {
  static const SgtLayer layers[] = {{.tag = SGT_LAYER_DENSE, .dense = {.outputs = 5}}};
  static const int8_t weights[] = {32, -16, 7, 9, -100, 3, 127, -127, 55, 1};
  static const int32_t biases[] = {64, -64, 0, 1000, -1000};
  static const SgtRescale to_output = {1 << 30, 37};
  const SgtRescale rescales[] = {to_output, to_output, to_output, to_output, to_output};
  static const SgtActivation activations[] = {{1.0f / 64.0f, 3}, {1.0f / 16.0f, -20}};
  const SgtNetwork network = {layers, 1, 1, 2};
  const SgtQuantized quantized = {weights, 10, biases, 5, rescales, 5, activations, 2};
  int8_t bytes[16];
  must(sgt_infer_quantized(&network, &quantized, window, bytes, sizeof bytes, out));
  report("integers", fnv(FNV_START, out, 5));
}

static void refusals(SgtRandom *random) {
  SgtLayer layers[LAYER_COUNT];
  for (size_t i = 0; i < LAYER_COUNT; i++) {
    layers[i] = LAYERS[i];
  }
  SgtNetwork network = {layers, LAYER_COUNT, STEPS, CHANNELS};
  SgtSizes sizes;
  const SgtParameters short_by_one = {parameters, PARAMETERS - 1, NULL, 0};
  float logits[CLASSES] = {7.0f, 7.0f, 7.0f, 7.0f};
  must_refuse(sgt_infer(&network, &short_by_one, window, scratch, SCRATCH, logits),
              SGT_STATUS_LENGTH);
  must_refuse(sgt_infer(&network, NULL, window, scratch, SCRATCH, logits), SGT_STATUS_POINTER);
  const float *misaligned = (const float *)((const char *)window + 1);
  must_refuse(sgt_softmax(misaligned, CLASSES, logits), SGT_STATUS_POINTER);
  layers[1].tag = 200;
  must_refuse(sgt_network_sizes(&network, &sizes), SGT_STATUS_CONSTANT);
  layers[1] = LAYERS[1];
  layers[3].flatten = 9;
  must_refuse(sgt_network_sizes(&network, &sizes), SGT_STATUS_CONSTANT);
  layers[3] = LAYERS[0];
  must_refuse(sgt_network_sizes(&network, &sizes), SGT_STATUS_LAYER);
  SgtMasking masking = sgt_masking_reference(STEPS, CHANNELS);
  masking.policy = 99;
  must_refuse(
      sgt_mask_sample(&masking, slope, window, LEN, NULL, 0, 0, random, indices, LEN, logits),
      SGT_STATUS_CONSTANT);
  masking.policy = SGT_POLICY_PERMUTE;
  must_refuse(sgt_mask_sample(&masking, slope, window, LEN, NULL, 0, 0, random, indices, LEN, out),
              SGT_STATUS_EMPTY);
  for (size_t i = 0; i < CLASSES; i++) {
    if (logits[i] != 7.0f) {
      print("a refused call wrote\n");
      all_good = 0;
    }
  }
}

int main(void) {
  SgtRandom random;
  must(sgt_random_init(&random, 2021, 0));
  must(sgt_random_normal(&random, window, LEN));
  must(sgt_random_normal(&random, slope, LEN));
  must(sgt_random_normal(&random, parameters, PARAMETERS));
  report("random", fnv(fnv(FNV_START, window, LEN), slope, LEN));
  masking_calls(&random);
  loss_calls();
  attack_calls(&random);
  quantized_calls();
  refusals(&random);
  network_calls(&random);
  print(all_good ? "all good\n" : "not good\n");
  finish(all_good);
  return 0;
}
