-- Activities of an ActivityPub outbox (outbox.json of a personal Mastodon archive) to statuses of Mastodon's API.
--
-- Takes    the relation `records` (number BIGINT, line VARCHAR, context VARCHAR).
-- Grain    one row per activity.
-- Columns  number, line (what panel_mastodon.sql takes; '{}' for a record that is no post, null for one that is no JSON),
--          context
--
-- Only `Create` activities carry a text. A boost (`Announce`) names the address of another's post and nothing of what it
-- says: it is no post.
WITH fields AS (
    SELECT
        number,
        context,
        TRY(json_extract_string(line, [
            '$.type', '$.actor', '$.published', '$.object.id', '$.object.published', '$.object.content',
            '$.object.summary', '$.object.inReplyTo', '$.object.attributedTo', '$.object.quote', '$.object.quoteUri',
            '$.object.quoteUrl'
        ])) AS f,
        TRY(json_keys(line, '$.object.contentMap')) AS languages
    FROM records
)
SELECT
    number,
    CAST(CASE
        WHEN f IS NULL THEN NULL
        WHEN f[1] = 'Create' AND f[6] IS NOT NULL THEN json_object(
            'uri', f[4],
            'account', json_object('uri', coalesce(f[2], f[9])),
            'created_at', coalesce(f[5], f[3]),
            'content', f[6],
            'spoiler_text', f[7],
            'in_reply_to_id', f[8],
            'quote', coalesce(f[10], f[11], f[12]),
            'language', languages[1])
        ELSE '{}'
    END AS VARCHAR) AS line,
    context
FROM fields
