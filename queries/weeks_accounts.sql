-- Accounts that a study leaves out, and why.
--
-- Takes    `staged` (post_id, user_id, created_us, is_repost): the posts left after the rules for single posts, over all
--          weeks; the parameters below.
-- Grain    one row per account left out.
-- Columns  user_id, reason ('automated_account' or 'inactive_user')
-- Order    by user_id
-- Engines  DuckDB and, translated by sqlglot, Spark.
--
-- $min_posts          fewest posts over the study
-- $max_posts_per_day  most posts per active day (in UTC), on average; NULL for no limit
-- $max_repost_share   largest share of reposts, 0-1; NULL for no limit
--
-- An id counts once, at its first date, however often the files or overlapping windows hold it. Equal texts under
-- different ids count each: who repeats himself is active, and maybe automated.
WITH posts AS (
    SELECT user_id, post_id, min(created_us) AS created_us, max(CASE WHEN is_repost THEN 1 ELSE 0 END) AS is_repost
    FROM staged
    GROUP BY user_id, post_id
),
activity AS (
    SELECT
        user_id,
        count(*) AS n_posts,
        count(DISTINCT created_us - created_us % 86400000000) AS n_days,
        sum(is_repost) AS n_reposts
    FROM posts
    GROUP BY user_id
)
SELECT
    user_id,
    CASE
        WHEN $max_posts_per_day IS NOT NULL AND n_posts > $max_posts_per_day * n_days THEN 'automated_account'
        WHEN $max_repost_share IS NOT NULL AND n_reposts > $max_repost_share * n_posts THEN 'automated_account'
        ELSE 'inactive_user'
    END AS reason
FROM activity
WHERE n_posts < $min_posts
    OR coalesce(n_posts > $max_posts_per_day * n_days, false)
    OR coalesce(n_reposts > $max_repost_share * n_posts, false)
ORDER BY user_id
