# ---
# jupyter:
#   jupytext:
#     formats: notebooks/solutions//ipynb,notebooks/scripts/solutions//py:percent
#     notebook_metadata_filter: kernelspec,jupytext,-jupytext.text_representation.jupytext_version,-jupytext.text_representation.format_version
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Solutions of lesson 12
#
# [![Open in Colab](../images/open-in-colab.svg)](https://colab.research.google.com/github/two-towers-course/two-towers/blob/main/notebooks/solutions/12_correct_sampling_bias.ipynb) [![Launch Binder](../images/launch-binder.svg)](https://mybinder.org/v2/gh/two-towers-course/two-towers/main?urlpath=lab/tree/notebooks/solutions/12_correct_sampling_bias.ipynb)
#
# These are solutions of the [exercises of lesson 12](../12_correct_sampling_bias.ipynb#Exercises). Try them yourself first.
# Other answers can be right, too: compare what yours find.

# %% [markdown]
# On Colab this installs the course; elsewhere it does nothing.

# %% tags=["colab"]
import os
import subprocess
import sys
from importlib import metadata, util

if util.find_spec("recsys_utils") is None:
    course = "two-towers[lessons] @ https://github.com/two-towers-course/two-towers/archive/refs/heads/main.zip"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", os.getenv("TWO_TOWERS_SOURCE", course)]
    before = {one.name: f"{one.name}=={one.version}" for one in reversed([*metadata.distributions()])}
    done = subprocess.run([*pip, "-c", "/dev/stdin"], input="\n".join(before.values()), capture_output=True, text=True)
    if done.returncode:  # pip cannot leave all that is here as it is
        done = subprocess.run(pip, capture_output=True, text=True)
    assert done.returncode == 0, f"pip could not install the course:\n{done.stderr}"
    replaced = {*before.values()} - {f"{one.name}=={one.version}" for one in metadata.distributions()}
    assert not replaced, f"restart the session and run again: pip has replaced {', '.join(sorted(replaced))}"
    print("The course is installed.")

# %% [markdown]
# A solution starts where the lesson has its world, its data and its training loop, so we run the lesson up to there,
# without its output.

# %%
from recsys_utils.lessons import run_lesson

run_lesson("12", globals(), until="Choose on validation")

# %% [markdown]
# ## Exercise 1. How small is too small
#
# `minimise` takes sets of drawn negatives and how likely each set is. For a batch of two, the twenty possible negatives
# are all there is. For larger batches, we draw 400 sets. They stand in for all, so a small distance remains.

# %%
distance = {}
for batch in (2, 4, 8, 16, 32, 64):
    if batch == 2:
        counts, likely = np.eye(20), share  # (draws, movies), (draws,)
    else:
        counts = np.random.default_rng(1).multinomial(batch - 1, share, size=400)  # (draws, movies)
        likely = np.full(400, 1 / 400)  # (draws,)
    found = {way: minimise(truth[0], way, counts, likely, steps=1500) for way in WAYS[1:]}
    distance[batch] = {way: np.abs(one - truth[0]).sum() / 2 for way, one in found.items()}
distance = pd.DataFrame(distance).T.rename_axis("batch")  # (batches, ways)
results_table(distance.reset_index())

# %%
own, logq, removed = (distance[way] for way in ("positive's own", "logQ", "logQ, hits removed"))
assert own[2] > 0.3 > 0.05 > own[8], "from a batch of eight on, the end should be near the truth"
assert np.allclose(own.loc[16:], logq.loc[16:], atol=0.01), "and then as near as logQ's"
assert removed.loc[16:].min() > 2 * logq.loc[16:].max(), "with hits removed a distance should remain"

# %% [markdown]
# In a batch of two, the positive's own correction ends a third of the choices away from the truth; from sixteen on, it is
# level with logQ, in this world of twenty movies. Removing hits leaves a distance in every batch but the smallest, probably
# because the most popular movie has a fifth of all choices.

# %% [markdown]
# ## Exercise 2. Half a correction
#
# $\alpha \log q = \log q^\alpha$, so the share goes to TFRS with a power. 0 is the plain softmax, 1 is logQ. Each
# $\alpha$ gets its own rate, on validation.

# %%
logq_loss, alphas = tfrs_loss(), [0, 0.5, 1, 1.5]


def partly(alpha):
    return lambda queries, candidates, ids, share: logq_loss(queries, candidates, ids, share**alpha)


strengths = {alpha: Variant(partly(alpha)) for alpha in alphas}
by_strength = pd.DataFrame(
    {rate: {alpha: ndcg(one, "validation", rate, 1).mean() for alpha, one in strengths.items()} for rate in RATES}
)
results_table(by_strength.add_prefix("rate ").rename_axis("α").reset_index())

# %%
best = by_strength.max(axis=1)  # (n_alphas,)
assert best[1] > best[0] + 0.02 and best[1] > best.max() - 0.01, f"logQ should be near the top {by_strength}"

# %% [markdown]
# A whole correction is far above none. 1.5 ended highest, at the edge of the grid. With one seed, strengths whose figures
# lie close cannot be told apart: take 1, which has a reason.

# %% [markdown]
# ## Exercise 3. No sampling at all
#
# All scores are one matrix product, 671 by 9,066. A user with $n$ choices pays $n$ times the logarithm of the sum, less
# the scores of the choices. Each step sees all data, so there are fewer steps. The number of steps and the rate are chosen
# on validation.


# %%
def full_softmax(part, rate, steps, seed):
    """Train tables with the full softmax; yield the scores after each number of steps."""
    seen = tf.constant(tasks[part].seen.toarray(), tf.float32)  # (n_users, n_items)
    rng = np.random.default_rng(seed)
    tables = [tf.Variable(rng.uniform(-0.05, 0.05, (rows, DIM)), dtype=tf.float32) for rows in seen.shape]
    optimizer = tf.keras.optimizers.Adagrad(rate)
    optimizer.build(tables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            scores = tf.matmul(tables[0], tables[1], transpose_b=True)  # (n_users, n_items)
            total = tf.reduce_logsumexp(scores, axis=1) * tf.reduce_sum(seen, axis=1)  # (n_users,)
            loss = tf.reduce_sum(total) - tf.reduce_sum(seen * scores)
        optimizer.apply_gradients(zip(tape.gradient(loss, tables), tables, strict=True))

    for place in range(1, max(steps) + 1):
        step()
        if place in steps:
            yield place, tf.matmul(tables[0], tables[1], transpose_b=True).numpy()


# %%
tried = {}
for rate in (0.025, 0.05, 0.1, 0.2):
    for place, scores in full_softmax("validation", rate, [10, 20, 40, 80], 1):
        tried[rate, place] = metrics.evaluate_ranking(scores, tasks["validation"]).ndcg.mean()
tried = pd.Series(tried).unstack()  # (n_rates, n_steps)
rate, steps = tried.stack().idxmax()
results_table(tried.add_suffix(" steps").rename_axis("rate").reset_index())

# %%
task = tasks["test"]
no_sampling = {"logQ (base)": np.stack([ndcg(Variant(), "test", 0.1, seed) for seed in SEEDS])}
last = [next(full_softmax("test", rate, [steps], seed))[1] for seed in SEEDS]  # (n_users, n_items) each
no_sampling["full softmax"] = np.stack([metrics.evaluate_ranking(one, task).ndcg for one in last])
verdict = comparison.compare(no_sampling, "logQ (base)").set_index("model")
results_table(verdict.reset_index())

# %%
assert rate in (0.05, 0.1) and steps in (20, 40), f"the best should be inside the grid {tried}"
assert abs(verdict["difference"]["full softmax"]) < 0.02, "the two should be near"
assert verdict["verdict"]["full softmax"] != "better", "no sampling should not be ahead"

# %% [markdown]
# A loss without any sampling is not ahead of logQ, so sampling is not what holds these towers back. More than the loss
# differs here: all data in a step give the same gradient every time, without the noise of batches.

# %% [markdown]
# ## Exercise 4. Count in batches
#
# Only the clock changes: it moves on once in a batch. A movie that is in the batch again has waited no batch at all, so its
# gap stays as it is.


# %%
def batch_shares(items, n_items, batch, rate=0.01):
    last, gap, times = [0] * n_items, [0.0] * n_items, [0] * n_items
    for place, item in enumerate(items.tolist()):
        now = place // batch + 1
        if now > last[item]:
            times[item] += 1
            gap[item] += max(rate, 1 / times[item]) * (now - last[item] - gap[item])
            last[item] = now
    return 1 / np.maximum(gap, 1e-9) / batch  # (n_items,)


still = before / before.sum()  # (movies,)
standing = rng.choice(300, 200_000, p=still)  # (n_choices,) a stream that stands still
ratios = pd.DataFrame(
    {batch: batch_shares(standing, 300, batch) / still for batch in (1, 16, 256)}, index=np.arange(1, 301)
)
rows = [1, 10, 100, 300]
results_table(ratios.loc[rows].add_prefix("batch ").rename_axis("estimate / truth, rank").reset_index(), digits=2)

# %%
assert ratios.loc[1, 256] < 0.05, "the most popular movie should look as if it were chosen once a batch"
assert np.abs(ratios.loc[250:, 256].median() - 1) < 0.15, "rare movies should be right"
assert np.abs(ratios[1].median() - 1) < 0.05, "counting in choices is a batch of one"

# %% [markdown]
# A movie that is in every batch has a gap of 1, however often it is in each. So no estimate is above 1 / batch. Training
# would treat the most popular movies as if they were rarer, and push them down, as without logQ; rare movies are right.
# Count in choices, or keep the largest share well below 1 / batch.
