// BullMQ: `fill COUNT JOB`, `trickle COUNT JOB PAUSE`, `work`. The alerts stand in alerts.ndjson.

import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Queue, Worker } from "bullmq";
import IORedis from "ioredis";

const connection = { path: process.env.BENCH_REDIS, maxRetriesPerRequest: null };
const redis = new IORedis(connection);
const now = () => String(Date.now() / 1000);
const NAME = "bench";
const CHUNK = 1000;
const KEEP_NOTHING = { removeOnComplete: true, attempts: 4 };

const jobs = {
  nothing: async () => {},
  stamp: async () => { await redis.rpush("bench:started", now()); },
  sleep: async () => { await redis.rpush("bench:started", now()); await sleep(600_000); },
};

const [what, count, job, pause] = process.argv.slice(2);
if (what === "work") {
  new Worker(NAME, (each) => jobs[each.name](), { connection, concurrency: 10 });
} else {
  const lines = readFileSync(new URL("alerts.ndjson", import.meta.url), "utf8").trim().split("\n");
  const alerts = Array.from({ length: Number(count) }, (_, i) => JSON.parse(lines[i % lines.length]));
  const queue = new Queue(NAME, { connection });
  await queue.waitUntilReady();
  const started = process.hrtime.bigint();
  const used = process.cpuUsage();
  if (what === "fill") {
    for (let start = 0; start < alerts.length; start += CHUNK) {
      await queue.addBulk(alerts.slice(start, start + CHUNK).map((data) => ({ name: job, data, opts: KEEP_NOTHING })));
    }
  } else {
    for (const data of alerts) {
      await sleep(Number(pause) * 1000);
      await redis.rpush("bench:enqueued", now());
      await queue.add(job, data, KEEP_NOTHING);
    }
  }
  const { user, system } = process.cpuUsage(used);
  console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - started) / 1e9, processor: (user + system) / 1e6 }));
  await queue.close();
  redis.disconnect();
}
