--
-- PostgreSQL database dump
--

\restrict hC71aqWPNrUGmXV1WhVqYdQSHiEMTynSmDhbEG2zbhv14MlbcKdcEYoFkSjcpYh

-- Dumped from database version 18.6
-- Dumped by pg_dump version 18.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: refuse_audit_change(); Type: FUNCTION; Schema: public; Owner: -
--

CREATE FUNCTION public.refuse_audit_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = 'the audit trail is append-only, refused: ' || TG_OP;
END;
$$;


SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: adx_ledger_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.adx_ledger_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit (
    sequence bigint NOT NULL,
    at timestamp with time zone NOT NULL,
    key text NOT NULL,
    actor text NOT NULL,
    source text NOT NULL,
    action text NOT NULL,
    environment text,
    commit text,
    detail json NOT NULL,
    previous_hash text NOT NULL,
    hash text NOT NULL,
    CONSTRAINT audit_has_no_control_characters CHECK ((concat(key, actor, source, action, environment, commit) !~ '[[:cntrl:]]'::text))
);


--
-- Name: environments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.environments (
    name text NOT NULL,
    delivered_commit text,
    delivered_state_digest text,
    last_good_snapshot text,
    fencing_token bigint DEFAULT 0 NOT NULL,
    frozen_reason text
);


--
-- Name: fencing_tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.fencing_tokens (
    environment text NOT NULL,
    token bigint NOT NULL,
    rollout_id text NOT NULL,
    holder text NOT NULL,
    issued_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: idempotent_results; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.idempotent_results (
    key text NOT NULL,
    result jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: quarantine; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.quarantine (
    environment text NOT NULL,
    commit text NOT NULL,
    reason text NOT NULL,
    rollout_id text NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: rollout_units; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rollout_units (
    rollout_id text NOT NULL,
    unit text NOT NULL,
    environment text NOT NULL,
    status text NOT NULL,
    digest text,
    commit text NOT NULL,
    fencing_token bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: rollouts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.rollouts (
    id text NOT NULL,
    environment text NOT NULL,
    kind text NOT NULL,
    commit text NOT NULL,
    base_commit text,
    status text NOT NULL,
    requested_by text NOT NULL,
    source text NOT NULL,
    change_set jsonb,
    plan_digest text,
    failure jsonb,
    restored_to text,
    restore_verified boolean,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone
);


--
-- Name: steps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.steps (
    rollout_id text NOT NULL,
    sequence integer NOT NULL,
    name text NOT NULL,
    unit text DEFAULT ''::text NOT NULL,
    status text NOT NULL,
    attempts integer DEFAULT 1 NOT NULL,
    detail jsonb DEFAULT '{}'::jsonb NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone
);


--
-- Name: units; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.units (
    environment text NOT NULL,
    unit text NOT NULL,
    status text NOT NULL,
    digest text,
    commit text NOT NULL,
    rollout_id text NOT NULL,
    fencing_token bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Name: webhook_deliveries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhook_deliveries (
    delivery_id text NOT NULL,
    event text NOT NULL,
    receipt text NOT NULL,
    received_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);


--
-- Data for Name: adx_ledger_version; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.adx_ledger_version (version_num) FROM stdin;
0001
\.


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.audit (sequence, at, key, actor, source, action, environment, commit, detail, previous_hash, hash) FROM stdin;
1	2026-11-26 23:54:43.010253+00	rollout.started:adx-rollout-kept-0419726a2842-7848ce	ada	cli	rollout.started	kept	0419726a284294df63e73eab2d2635850997aa9f	{"kind":"deliver","rollout_id":"adx-rollout-kept-0419726a2842-7848ce"}	0000000000000000000000000000000000000000000000000000000000000000	1364a9b08cd31d0fd792cbb62f24b2daf117b940b208eb5753709d461b809e9c
2	2026-11-26 23:55:14.491206+00	rollout.delivered:adx-rollout-kept-0419726a2842-7848ce	adx	cli	rollout.delivered	kept	0419726a284294df63e73eab2d2635850997aa9f	{"failure":null,"kind":"deliver","restore_verified":null,"restored_to":null,"rollout_id":"adx-rollout-kept-0419726a2842-7848ce"}	1364a9b08cd31d0fd792cbb62f24b2daf117b940b208eb5753709d461b809e9c	e58c3d67d2afc6f6965a8cd80225c6b5d9f0b6792b06401187eb124745d6d700
3	2026-11-26 23:55:27.25153+00	rollout.started:adx-rollout-kept-e14ad29014c0-d19bc4	ada	cli	rollout.started	kept	e14ad29014c0b25198f5a8175a2ace27cda5c24b	{"kind":"deliver","rollout_id":"adx-rollout-kept-e14ad29014c0-d19bc4"}	e58c3d67d2afc6f6965a8cd80225c6b5d9f0b6792b06401187eb124745d6d700	a6c150110ffe4f37cbf417b604c441d0dc7c06dcb9f11ebe7db8eb54172b36dd
4	2026-11-26 23:56:01.856092+00	rollout.delivered:adx-rollout-kept-e14ad29014c0-d19bc4	adx	cli	rollout.delivered	kept	e14ad29014c0b25198f5a8175a2ace27cda5c24b	{"failure":null,"kind":"deliver","restore_verified":null,"restored_to":null,"rollout_id":"adx-rollout-kept-e14ad29014c0-d19bc4"}	a6c150110ffe4f37cbf417b604c441d0dc7c06dcb9f11ebe7db8eb54172b36dd	8ddb05cdc71cdb1d1406b0f97d25c5a623feb6cba7230a808864dabef590e00d
5	2026-11-26 23:56:16.562058+00	rollout.started:adx-rollout-kept-e098df7b2f5d-d07411	grace	cli	rollout.started	kept	e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca	{"kind":"deliver","rollout_id":"adx-rollout-kept-e098df7b2f5d-d07411"}	8ddb05cdc71cdb1d1406b0f97d25c5a623feb6cba7230a808864dabef590e00d	7a984aa283bb0612de0e4dc4b118e929dd97783c81c9bb36441a4f0451a61098
6	2026-11-26 23:56:35.962328+00	commit.quarantined:kept:6	adx	rollout	commit.quarantined	kept	e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca	{"reason":"failed at deploy: frontend v1.4.0-broken in shop-kept: CrashLoopBackOff (container frontend of pod frontend-f869cfd87-fmznl): back-off 40s restarting failed container","rollout_id":"adx-rollout-kept-e098df7b2f5d-d07411"}	7a984aa283bb0612de0e4dc4b118e929dd97783c81c9bb36441a4f0451a61098	4207ed458f5e25cfb3254309611545ae5612f491bc432d1c811b4f45db899e3a
7	2026-11-26 23:56:36.409718+00	rollout.restored:adx-rollout-kept-e098df7b2f5d-d07411	adx	cli	rollout.restored	kept	e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca	{"failure":{"message":"frontend v1.4.0-broken in shop-kept: CrashLoopBackOff (container frontend of pod frontend-f869cfd87-fmznl): back-off 40s restarting failed container","step":"deploy"},"kind":"deliver","restore_verified":true,"restored_to":"e14ad29014c0b25198f5a8175a2ace27cda5c24b","rollout_id":"adx-rollout-kept-e098df7b2f5d-d07411"}	4207ed458f5e25cfb3254309611545ae5612f491bc432d1c811b4f45db899e3a	24ed90b28028fb3eb952961e3491872875e39a1668c95c36edcc1cbfc974f291
\.


--
-- Data for Name: environments; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.environments (name, delivered_commit, delivered_state_digest, last_good_snapshot, fencing_token, frozen_reason) FROM stdin;
kept	e14ad29014c0b25198f5a8175a2ace27cda5c24b	71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0	eebf8ce2b97800f12dc4364bb3112266994891af1ef09d8f4dee3b246296e75b	11	\N
\.


--
-- Data for Name: fencing_tokens; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.fencing_tokens (environment, token, rollout_id, holder, issued_at) FROM stdin;
kept	1	adx-rollout-kept-0419726a2842-7848ce	adx-rollout-kept-0419726a2842-7848ce	2026-11-26 23:54:44.122316+00
kept	2	adx-rollout-kept-0419726a2842-7848ce	adx-rollout-kept-0419726a2842-7848ce.01a21a48-66f7-75ce-8bb2-eaa68f6adbd0.4.1	2026-11-26 23:55:00.760776+00
kept	3	adx-rollout-kept-0419726a2842-7848ce	end	2026-11-26 23:55:14.208597+00
kept	4	adx-rollout-kept-e14ad29014c0-d19bc4	adx-rollout-kept-e14ad29014c0-d19bc4	2026-11-26 23:55:28.084975+00
kept	5	adx-rollout-kept-e14ad29014c0-d19bc4	adx-rollout-kept-e14ad29014c0-d19bc4.01a21a49-13cf-7a38-9746-236b1054fedc.4.1	2026-11-26 23:55:40.54216+00
kept	6	adx-rollout-kept-e14ad29014c0-d19bc4	end	2026-11-26 23:56:01.446303+00
kept	7	adx-rollout-kept-e098df7b2f5d-d07411	adx-rollout-kept-e098df7b2f5d-d07411	2026-11-26 23:56:17.384884+00
kept	8	adx-rollout-kept-e098df7b2f5d-d07411	adx-rollout-kept-e098df7b2f5d-d07411.01a21a49-d2b2-7c2b-ab85-4165065551bb.4.1	2026-11-26 23:56:25.182714+00
kept	9	adx-rollout-kept-e098df7b2f5d-d07411	adx-rollout-kept-e098df7b2f5d-d07411-restore.01a21a4a-0b2d-72d5-872c-5dce17333b75.1.1	2026-11-26 23:56:30.193547+00
kept	10	adx-rollout-kept-e098df7b2f5d-d07411	adx-rollout-kept-e098df7b2f5d-d07411-restore.01a21a4a-0b2d-72d5-872c-5dce17333b75.2.1	2026-11-26 23:56:30.562189+00
kept	11	adx-rollout-kept-e098df7b2f5d-d07411	end	2026-11-26 23:56:35.873788+00
\.


--
-- Data for Name: idempotent_results; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.idempotent_results (key, result, recorded_at) FROM stdin;
adx-rollout-kept-0419726a2842-7848ce stack validate 0419726a284294df63e73eab2d2635850997aa9f@nothing	{"commit": "0419726a284294df63e73eab2d2635850997aa9f", "summary": "1 platform(s) added; 3 service(s) added; 2 tenant(s) added", "delivery": "7dd81f2dd545b3baec74a330c336e36bb761e15bb9b9cab0cefbca1a2cfe05b4", "approvers": null, "base_state": null, "base_commit": null, "changed_units": 6, "desired_state": "006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326", "changed_services": ["checkout", "frontend", "store"], "approval_timeout_hours": 72}	2026-11-26 23:54:43.808527+00
adx-rollout-kept-0419726a2842-7848ce stack snapshot nothing	{"lease": {"rollout_id": "adx-rollout-kept-0419726a2842-7848ce", "environment": "kept", "fencing_token": 1}, "objects": 0, "snapshot": "8a61ba2f4e9382823a20a0cd5508b0922574ab96cb7dc1d82e59eccd7e45b68b", "pending_operations": 0}	2026-11-26 23:54:49.053566+00
adx-rollout-kept-0419726a2842-7848ce stack plan 006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326	{"digest": "6cf61cf2d145b4293babfce66383e6902a463207f16ca9c656ac684f91b0e397", "creates": 38, "deletes": 0, "updates": 0, "replaces": 0, "unchanged": 0}	2026-11-26 23:55:00.498181+00
adx-rollout-kept-0419726a2842-7848ce stack apply 006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326	{"creates": 38, "deletes": 0, "updates": 0, "replaces": 0, "unchanged": 0, "repaired_operations": 0}	2026-11-26 23:55:12.922877+00
adx-rollout-kept-0419726a2842-7848ce stack deploy 0c957feab036df70802d36759c158766c69a6ef17b2cb545fa877dc09e43aad9	{"services": ["checkout", "frontend", "store"]}	2026-11-26 23:55:13.838979+00
adx-rollout-kept-0419726a2842-7848ce stack test 7dd81f2dd545b3baec74a330c336e36bb761e15bb9b9cab0cefbca1a2cfe05b4	{"names": ["frontend-ready"]}	2026-11-26 23:55:14.147075+00
adx-rollout-kept-e14ad29014c0-d19bc4 stack validate e14ad29014c0b25198f5a8175a2ace27cda5c24b@006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326	{"commit": "e14ad29014c0b25198f5a8175a2ace27cda5c24b", "summary": "platform changed; service/frontend changed; tenant/globex removed; tenant/initech added", "delivery": "ae685fee4a85624c0abdac187a6f69177f066fd1e535048f48020cfa66cff6ec", "approvers": null, "base_state": "006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326", "base_commit": "0419726a284294df63e73eab2d2635850997aa9f", "changed_units": 4, "desired_state": "71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0", "changed_services": ["frontend"], "approval_timeout_hours": 72}	2026-11-26 23:55:27.720132+00
adx-rollout-kept-e14ad29014c0-d19bc4 stack snapshot 006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326	{"lease": {"rollout_id": "adx-rollout-kept-e14ad29014c0-d19bc4", "environment": "kept", "fencing_token": 4}, "objects": 30, "snapshot": "eebf8ce2b97800f12dc4364bb3112266994891af1ef09d8f4dee3b246296e75b", "pending_operations": 0}	2026-11-26 23:55:28.911786+00
adx-rollout-kept-e14ad29014c0-d19bc4 stack plan 71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0	{"digest": "213dde9990db87ab7fa866971b873f8ce47003e81c9f05c224e30e58cbeb1b0b", "creates": 7, "deletes": 7, "updates": 9, "replaces": 0, "unchanged": 22}	2026-11-26 23:55:40.124109+00
adx-rollout-kept-e14ad29014c0-d19bc4 stack apply 71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0	{"creates": 7, "deletes": 7, "updates": 9, "replaces": 0, "unchanged": 22, "repaired_operations": 0}	2026-11-26 23:56:00.016492+00
adx-rollout-kept-e14ad29014c0-d19bc4 stack deploy 7e8db3681bde99fef07a6c73896de8e291d868f449a17052632626b702549fe6	{"services": ["frontend"]}	2026-11-26 23:56:00.770558+00
adx-rollout-kept-e14ad29014c0-d19bc4 stack test ae685fee4a85624c0abdac187a6f69177f066fd1e535048f48020cfa66cff6ec	{"names": ["frontend-ready"]}	2026-11-26 23:56:01.149864+00
adx-rollout-kept-e098df7b2f5d-d07411 stack validate e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca@71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0	{"commit": "e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca", "summary": "service/frontend changed", "delivery": "df5094761369941ed94fce85b72a15ad3a03d59e992e511815153ca055295136", "approvers": null, "base_state": "71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0", "base_commit": "e14ad29014c0b25198f5a8175a2ace27cda5c24b", "changed_units": 1, "desired_state": "afa0a20314ffad840e6a2c36cf1a8a87d83032484b4eeee087479d7d600f410d", "changed_services": ["frontend"], "approval_timeout_hours": 72}	2026-11-26 23:56:16.933119+00
adx-rollout-kept-e098df7b2f5d-d07411 stack snapshot 71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0	{"lease": {"rollout_id": "adx-rollout-kept-e098df7b2f5d-d07411", "environment": "kept", "fencing_token": 7}, "objects": 30, "snapshot": "2939f9d25c22af27911ecc74971025ab4e5129832df0edb7cb1b9145e3ccb5b3", "pending_operations": 0}	2026-11-26 23:56:18.069579+00
adx-rollout-kept-e098df7b2f5d-d07411 stack plan afa0a20314ffad840e6a2c36cf1a8a87d83032484b4eeee087479d7d600f410d	{"digest": "902517b9616096adf99fb44f597d6aece09f4bbd5c9a4e5cb216ea5f349a7279", "creates": 0, "deletes": 0, "updates": 5, "replaces": 0, "unchanged": 33}	2026-11-26 23:56:25.053775+00
adx-rollout-kept-e098df7b2f5d-d07411 stack apply afa0a20314ffad840e6a2c36cf1a8a87d83032484b4eeee087479d7d600f410d	{"creates": 0, "deletes": 0, "updates": 5, "replaces": 0, "unchanged": 33, "repaired_operations": 0}	2026-11-26 23:56:29.433091+00
adx-rollout-kept-e098df7b2f5d-d07411 stack repair 2939f9d25c22af27911ecc74971025ab4e5129832df0edb7cb1b9145e3ccb5b3@01a21a4a-0b2d-72d5-872c-5dce17333b75	0	2026-11-26 23:56:30.282189+00
adx-rollout-kept-e098df7b2f5d-d07411 stack reapply 71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0	{"creates": 0, "deletes": 0, "updates": 5, "replaces": 0, "unchanged": 33, "repaired_operations": 0}	2026-11-26 23:56:34.533378+00
adx-rollout-kept-e098df7b2f5d-d07411 stack redeploy 7e8db3681bde99fef07a6c73896de8e291d868f449a17052632626b702549fe6	{"services": ["frontend"]}	2026-11-26 23:56:35.309948+00
adx-rollout-kept-e098df7b2f5d-d07411 stack verify 2939f9d25c22af27911ecc74971025ab4e5129832df0edb7cb1b9145e3ccb5b3@01a21a4a-0b2d-72d5-872c-5dce17333b75	{"objects": 30, "healed_drift": []}	2026-11-26 23:56:35.631592+00
\.


--
-- Data for Name: quarantine; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.quarantine (environment, commit, reason, rollout_id, at) FROM stdin;
kept	e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca	failed at deploy: frontend v1.4.0-broken in shop-kept: CrashLoopBackOff (container frontend of pod frontend-f869cfd87-fmznl): back-off 40s restarting failed container	adx-rollout-kept-e098df7b2f5d-d07411	2026-11-26 23:56:35.939669+00
\.


--
-- Data for Name: rollout_units; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.rollout_units (rollout_id, unit, environment, status, digest, commit, fencing_token, updated_at) FROM stdin;
adx-rollout-kept-0419726a2842-7848ce	platform	kept	applied	2fc2a2532ad6aae4e6ea6e4f0fc602ea87f132ce658f19fd12bb71b0f0d6674a	0419726a284294df63e73eab2d2635850997aa9f	3	2026-11-26 23:55:14.23238+00
adx-rollout-kept-0419726a2842-7848ce	service/checkout	kept	applied	b5bd9a62b9c729336ebcdf8dea142a925e766e05b86fe634864794b9a711f3d6	0419726a284294df63e73eab2d2635850997aa9f	3	2026-11-26 23:55:14.23327+00
adx-rollout-kept-0419726a2842-7848ce	service/frontend	kept	applied	768d5c85bbc392cf517021af53315b48d484cffa42a045b1a11a3a7ef28f8e67	0419726a284294df63e73eab2d2635850997aa9f	3	2026-11-26 23:55:14.234457+00
adx-rollout-kept-0419726a2842-7848ce	service/store	kept	applied	f9100c4def8700bff82c03a186fec6d3d34d6385cff2f10365ad837ada408aea	0419726a284294df63e73eab2d2635850997aa9f	3	2026-11-26 23:55:14.235526+00
adx-rollout-kept-0419726a2842-7848ce	tenant/acme	kept	applied	2ca28c832e2e7503d20d7e9d81c570355aae077d9945377480813b8e90266549	0419726a284294df63e73eab2d2635850997aa9f	3	2026-11-26 23:55:14.236189+00
adx-rollout-kept-0419726a2842-7848ce	tenant/globex	kept	applied	d5c6774b7a57b341a45c1abdaa7358cabe11f4480402e19a83c6e1096deb55fe	0419726a284294df63e73eab2d2635850997aa9f	3	2026-11-26 23:55:14.237644+00
adx-rollout-kept-e14ad29014c0-d19bc4	platform	kept	applied	3f7b590c5c0e0658ffe8329c1854426b018e2c8fdf11db95e14a6cf7bb5fdcb1	e14ad29014c0b25198f5a8175a2ace27cda5c24b	6	2026-11-26 23:56:01.537378+00
adx-rollout-kept-e14ad29014c0-d19bc4	service/frontend	kept	applied	d99a84d5ec5662831b2692c21ae48ac86451f04f2921c80d1da57fefff0f5d97	e14ad29014c0b25198f5a8175a2ace27cda5c24b	6	2026-11-26 23:56:01.539585+00
adx-rollout-kept-e14ad29014c0-d19bc4	tenant/globex	kept	removed	\N	0419726a284294df63e73eab2d2635850997aa9f	6	2026-11-26 23:56:01.540817+00
adx-rollout-kept-e14ad29014c0-d19bc4	tenant/initech	kept	applied	693d6a9cc3f7ee20ce80739a9c73d6b301819df5d9919702b760a8b2c3fcfe72	e14ad29014c0b25198f5a8175a2ace27cda5c24b	6	2026-11-26 23:56:01.544167+00
adx-rollout-kept-e098df7b2f5d-d07411	service/frontend	kept	restored	d99a84d5ec5662831b2692c21ae48ac86451f04f2921c80d1da57fefff0f5d97	e14ad29014c0b25198f5a8175a2ace27cda5c24b	11	2026-11-26 23:56:35.907019+00
\.


--
-- Data for Name: rollouts; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.rollouts (id, environment, kind, commit, base_commit, status, requested_by, source, change_set, plan_digest, failure, restored_to, restore_verified, started_at, finished_at) FROM stdin;
adx-rollout-kept-e098df7b2f5d-d07411	kept	deliver	e098df7b2f5d2766ef61ffbfd0be30270e3bc5ca	e14ad29014c0b25198f5a8175a2ace27cda5c24b	restored	grace	cli	{"summary": "service/frontend changed", "delivery": "df5094761369941ed94fce85b72a15ad3a03d59e992e511815153ca055295136", "snapshot": "2939f9d25c22af27911ecc74971025ab4e5129832df0edb7cb1b9145e3ccb5b3", "base_state": "71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0", "changed_units": 1, "desired_state": "afa0a20314ffad840e6a2c36cf1a8a87d83032484b4eeee087479d7d600f410d", "exported_state": "81de98cfe90e6c98d8a7a301e620e70a570a562b29051bfbfe7ab46ca5174fc2", "changed_services": ["frontend"]}	902517b9616096adf99fb44f597d6aece09f4bbd5c9a4e5cb216ea5f349a7279	{"step": "deploy", "message": "frontend v1.4.0-broken in shop-kept: CrashLoopBackOff (container frontend of pod frontend-f869cfd87-fmznl): back-off 40s restarting failed container"}	e14ad29014c0b25198f5a8175a2ace27cda5c24b	t	2026-11-26 23:56:16.429082+00	2026-11-26 23:56:36.40047+00
adx-rollout-kept-0419726a2842-7848ce	kept	deliver	0419726a284294df63e73eab2d2635850997aa9f	\N	delivered	ada	cli	{"summary": "1 platform(s) added; 3 service(s) added; 2 tenant(s) added", "delivery": "7dd81f2dd545b3baec74a330c336e36bb761e15bb9b9cab0cefbca1a2cfe05b4", "snapshot": "8a61ba2f4e9382823a20a0cd5508b0922574ab96cb7dc1d82e59eccd7e45b68b", "base_state": null, "changed_units": 6, "desired_state": "006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326", "exported_state": "795f86e73803c973df40d0c0fbb4f205d63f7a3df7993b255da8d371004c829a", "changed_services": ["checkout", "frontend", "store"]}	6cf61cf2d145b4293babfce66383e6902a463207f16ca9c656ac684f91b0e397	\N	\N	\N	2026-11-26 23:54:42.900112+00	2026-11-26 23:55:14.447874+00
adx-rollout-kept-e14ad29014c0-d19bc4	kept	deliver	e14ad29014c0b25198f5a8175a2ace27cda5c24b	0419726a284294df63e73eab2d2635850997aa9f	delivered	ada	cli	{"summary": "platform changed; service/frontend changed; tenant/globex removed; tenant/initech added", "delivery": "ae685fee4a85624c0abdac187a6f69177f066fd1e535048f48020cfa66cff6ec", "snapshot": "eebf8ce2b97800f12dc4364bb3112266994891af1ef09d8f4dee3b246296e75b", "base_state": "006443d6b82eba9f6ad819e98cec8e7a41856a85e6ab13831e67aa2b5bcb9326", "changed_units": 4, "desired_state": "71c93271cf17e58666b9b56694fc826095bf4f3c564a76d144af8a0ef06c80b0", "exported_state": "f40b6f66afdbde24d03166e22a9cc1966f39f44d49480a64c5dd4d2fd1b7a421", "changed_services": ["frontend"]}	213dde9990db87ab7fa866971b873f8ce47003e81c9f05c224e30e58cbeb1b0b	\N	\N	\N	2026-11-26 23:55:27.169911+00	2026-11-26 23:56:01.838403+00
\.


--
-- Data for Name: steps; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.steps (rollout_id, sequence, name, unit, status, attempts, detail, started_at, finished_at) FROM stdin;
adx-rollout-kept-0419726a2842-7848ce	1	validate		succeeded	1	{"message": "1 platform(s) added; 3 service(s) added; 2 tenant(s) added"}	2026-11-26 23:54:43.123063+00	2026-11-26 23:54:43.77082+00
adx-rollout-kept-0419726a2842-7848ce	2	snapshot		succeeded	1	{"message": "0 objects, 8a61ba2f4e93"}	2026-11-26 23:54:44.06226+00	2026-11-26 23:54:49.013034+00
adx-rollout-kept-0419726a2842-7848ce	3	plan		succeeded	1	{"message": "38 to create, 0 to update, 0 to replace, 0 to delete, 0 unchanged"}	2026-11-26 23:54:49.315628+00	2026-11-26 23:55:00.465609+00
adx-rollout-kept-0419726a2842-7848ce	4	apply		succeeded	1	{"message": "38 created, 0 updated, 0 replaced, 0 deleted"}	2026-11-26 23:55:00.670745+00	2026-11-26 23:55:12.904529+00
adx-rollout-kept-0419726a2842-7848ce	5	deploy		succeeded	1	{"message": "checkout 1/1 ready, frontend 2/2 ready, store 1/1 ready"}	2026-11-26 23:55:13.481462+00	2026-11-26 23:55:13.807499+00
adx-rollout-kept-0419726a2842-7848ce	6	test		succeeded	1	{"message": "1 test(s) passed"}	2026-11-26 23:55:14.051378+00	2026-11-26 23:55:14.129452+00
adx-rollout-kept-e14ad29014c0-d19bc4	1	validate		succeeded	1	{"message": "platform changed; service/frontend changed; tenant/globex removed; tenant/initech added"}	2026-11-26 23:55:27.325779+00	2026-11-26 23:55:27.7033+00
adx-rollout-kept-e14ad29014c0-d19bc4	2	snapshot		succeeded	1	{"message": "30 objects, eebf8ce2b978"}	2026-11-26 23:55:27.976403+00	2026-11-26 23:55:28.860997+00
adx-rollout-kept-e14ad29014c0-d19bc4	3	plan		succeeded	1	{"message": "7 to create, 9 to update, 0 to replace, 7 to delete, 22 unchanged"}	2026-11-26 23:55:29.113857+00	2026-11-26 23:55:40.078131+00
adx-rollout-kept-e14ad29014c0-d19bc4	4	apply		succeeded	1	{"message": "7 created, 9 updated, 0 replaced, 7 deleted"}	2026-11-26 23:55:40.445492+00	2026-11-26 23:55:59.904563+00
adx-rollout-kept-e14ad29014c0-d19bc4	5	deploy		succeeded	1	{"message": "frontend 2/2 ready"}	2026-11-26 23:56:00.321785+00	2026-11-26 23:56:00.637277+00
adx-rollout-kept-e14ad29014c0-d19bc4	6	test		succeeded	1	{"message": "1 test(s) passed"}	2026-11-26 23:56:00.97076+00	2026-11-26 23:56:01.107057+00
adx-rollout-kept-e098df7b2f5d-d07411	1	validate		succeeded	1	{"message": "service/frontend changed"}	2026-11-26 23:56:16.67601+00	2026-11-26 23:56:16.925105+00
adx-rollout-kept-e098df7b2f5d-d07411	2	snapshot		succeeded	1	{"message": "30 objects, 2939f9d25c22"}	2026-11-26 23:56:17.230738+00	2026-11-26 23:56:18.04218+00
adx-rollout-kept-e098df7b2f5d-d07411	3	plan		succeeded	1	{"message": "0 to create, 5 to update, 0 to replace, 0 to delete, 33 unchanged"}	2026-11-26 23:56:18.188651+00	2026-11-26 23:56:25.030694+00
adx-rollout-kept-e098df7b2f5d-d07411	4	apply		succeeded	1	{"message": "0 created, 5 updated, 0 replaced, 0 deleted"}	2026-11-26 23:56:25.15724+00	2026-11-26 23:56:29.42154+00
adx-rollout-kept-e098df7b2f5d-d07411	5	deploy		failed	1	{"message": "frontend v1.4.0-broken in shop-kept: CrashLoopBackOff (container frontend of pod frontend-f869cfd87-fmznl): back-off 40s restarting failed container"}	2026-11-26 23:56:29.518359+00	2026-11-26 23:56:29.57883+00
adx-rollout-kept-e098df7b2f5d-d07411	6	repair		succeeded	1	{"message": "0 pending operation(s) repaired"}	2026-11-26 23:56:30.148054+00	2026-11-26 23:56:30.248715+00
adx-rollout-kept-e098df7b2f5d-d07411	7	reapply		succeeded	1	{"message": "0 created, 5 updated, 0 replaced, 0 deleted"}	2026-11-26 23:56:30.517216+00	2026-11-26 23:56:34.513708+00
adx-rollout-kept-e098df7b2f5d-d07411	8	redeploy		succeeded	1	{"message": "frontend 2/2 ready"}	2026-11-26 23:56:34.66421+00	2026-11-26 23:56:35.291459+00
adx-rollout-kept-e098df7b2f5d-d07411	9	verify		succeeded	1	{"message": "30 objects compared with snapshot 2939f9d25c22"}	2026-11-26 23:56:35.384137+00	2026-11-26 23:56:35.604941+00
\.


--
-- Data for Name: units; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.units (environment, unit, status, digest, commit, rollout_id, fencing_token, updated_at) FROM stdin;
kept	service/checkout	applied	b5bd9a62b9c729336ebcdf8dea142a925e766e05b86fe634864794b9a711f3d6	0419726a284294df63e73eab2d2635850997aa9f	adx-rollout-kept-0419726a2842-7848ce	3	2026-11-26 23:55:14.266113+00
kept	service/store	applied	f9100c4def8700bff82c03a186fec6d3d34d6385cff2f10365ad837ada408aea	0419726a284294df63e73eab2d2635850997aa9f	adx-rollout-kept-0419726a2842-7848ce	3	2026-11-26 23:55:14.268496+00
kept	tenant/acme	applied	2ca28c832e2e7503d20d7e9d81c570355aae077d9945377480813b8e90266549	0419726a284294df63e73eab2d2635850997aa9f	adx-rollout-kept-0419726a2842-7848ce	3	2026-11-26 23:55:14.279029+00
kept	platform	applied	3f7b590c5c0e0658ffe8329c1854426b018e2c8fdf11db95e14a6cf7bb5fdcb1	e14ad29014c0b25198f5a8175a2ace27cda5c24b	adx-rollout-kept-e14ad29014c0-d19bc4	6	2026-11-26 23:56:01.576421+00
kept	tenant/globex	removed	\N	0419726a284294df63e73eab2d2635850997aa9f	adx-rollout-kept-e14ad29014c0-d19bc4	6	2026-11-26 23:56:01.593676+00
kept	tenant/initech	applied	693d6a9cc3f7ee20ce80739a9c73d6b301819df5d9919702b760a8b2c3fcfe72	e14ad29014c0b25198f5a8175a2ace27cda5c24b	adx-rollout-kept-e14ad29014c0-d19bc4	6	2026-11-26 23:56:01.593878+00
kept	service/frontend	restored	d99a84d5ec5662831b2692c21ae48ac86451f04f2921c80d1da57fefff0f5d97	e14ad29014c0b25198f5a8175a2ace27cda5c24b	adx-rollout-kept-e098df7b2f5d-d07411	11	2026-11-26 23:56:35.920908+00
\.


--
-- Data for Name: webhook_deliveries; Type: TABLE DATA; Schema: public; Owner: -
--

COPY public.webhook_deliveries (delivery_id, event, receipt, received_at) FROM stdin;
\.


--
-- Name: adx_ledger_version adx_ledger_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.adx_ledger_version
    ADD CONSTRAINT adx_ledger_version_pkc PRIMARY KEY (version_num);


--
-- Name: audit audit_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_hash_key UNIQUE (hash);


--
-- Name: audit audit_key_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_key_key UNIQUE (key);


--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (sequence);


--
-- Name: audit audit_previous_hash_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_previous_hash_key UNIQUE (previous_hash);


--
-- Name: environments environments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.environments
    ADD CONSTRAINT environments_pkey PRIMARY KEY (name);


--
-- Name: fencing_tokens fencing_tokens_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fencing_tokens
    ADD CONSTRAINT fencing_tokens_pkey PRIMARY KEY (environment, token);


--
-- Name: idempotent_results idempotent_results_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotent_results
    ADD CONSTRAINT idempotent_results_pkey PRIMARY KEY (key);


--
-- Name: quarantine quarantine_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_pkey PRIMARY KEY (environment, commit);


--
-- Name: rollout_units rollout_units_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rollout_units
    ADD CONSTRAINT rollout_units_pkey PRIMARY KEY (rollout_id, unit);


--
-- Name: rollouts rollouts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rollouts
    ADD CONSTRAINT rollouts_pkey PRIMARY KEY (id);


--
-- Name: steps steps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (rollout_id, sequence);


--
-- Name: units units_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.units
    ADD CONSTRAINT units_pkey PRIMARY KEY (environment, unit);


--
-- Name: webhook_deliveries webhook_deliveries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (delivery_id);


--
-- Name: audit_by_environment; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audit_by_environment ON public.audit USING btree (environment, sequence);


--
-- Name: fencing_tokens_by_rollout; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX fencing_tokens_by_rollout ON public.fencing_tokens USING btree (environment, rollout_id);


--
-- Name: idempotent_results_by_age; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX idempotent_results_by_age ON public.idempotent_results USING btree (recorded_at);


--
-- Name: rollout_units_by_unit; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX rollout_units_by_unit ON public.rollout_units USING btree (environment, unit);


--
-- Name: rollouts_newest_first; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX rollouts_newest_first ON public.rollouts USING btree (environment, started_at DESC);


--
-- Name: steps_once; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX steps_once ON public.steps USING btree (rollout_id, name, unit);


--
-- Name: webhook_deliveries_by_age; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhook_deliveries_by_age ON public.webhook_deliveries USING btree (received_at);


--
-- Name: audit audit_is_not_emptied; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON public.audit FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_audit_change();

ALTER TABLE public.audit ENABLE ALWAYS TRIGGER audit_is_not_emptied;


--
-- Name: audit audit_rows_stay; Type: TRIGGER; Schema: public; Owner: -
--

CREATE TRIGGER audit_rows_stay BEFORE DELETE OR UPDATE ON public.audit FOR EACH ROW EXECUTE FUNCTION public.refuse_audit_change();

ALTER TABLE public.audit ENABLE ALWAYS TRIGGER audit_rows_stay;


--
-- Name: fencing_tokens fencing_tokens_environment_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.fencing_tokens
    ADD CONSTRAINT fencing_tokens_environment_fkey FOREIGN KEY (environment) REFERENCES public.environments(name);


--
-- Name: quarantine quarantine_environment_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quarantine
    ADD CONSTRAINT quarantine_environment_fkey FOREIGN KEY (environment) REFERENCES public.environments(name);


--
-- Name: rollout_units rollout_units_environment_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rollout_units
    ADD CONSTRAINT rollout_units_environment_fkey FOREIGN KEY (environment) REFERENCES public.environments(name);


--
-- Name: rollout_units rollout_units_rollout_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rollout_units
    ADD CONSTRAINT rollout_units_rollout_id_fkey FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);


--
-- Name: rollouts rollouts_environment_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.rollouts
    ADD CONSTRAINT rollouts_environment_fkey FOREIGN KEY (environment) REFERENCES public.environments(name);


--
-- Name: steps steps_rollout_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_rollout_id_fkey FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);


--
-- Name: units units_environment_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.units
    ADD CONSTRAINT units_environment_fkey FOREIGN KEY (environment) REFERENCES public.environments(name);


--
-- Name: units units_rollout_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.units
    ADD CONSTRAINT units_rollout_id_fkey FOREIGN KEY (rollout_id) REFERENCES public.rollouts(id);


--
-- PostgreSQL database dump complete
--

\unrestrict hC71aqWPNrUGmXV1WhVqYdQSHiEMTynSmDhbEG2zbhv14MlbcKdcEYoFkSjcpYh

