-- The columns stay: version 2 has them, and what was filled in is true.
SELECT 1;
