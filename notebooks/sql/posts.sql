-- The posts made up to a moment, each with its effective country:
-- its own unless that is NULL, empty or 'default', else its owner's, else a fallback.
SELECT post_id,
       p.caption,
       coalesce(nullif(nullif(p.country, ''), 'default'), nullif(o.country, ''), :fallback) AS country,
       p.language,
       p.created_at
FROM posts AS p
LEFT JOIN users AS o ON o.user_id = p.owner_id
WHERE p.created_at < :until
ORDER BY post_id
