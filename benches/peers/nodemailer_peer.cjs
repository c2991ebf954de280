// nodemailer's pool sends the newsletter: node nodemailer_peer.cjs FOLDER_WITH_NODE_MODULES ORDERS.json
// Prints {"n": messages, "seconds": wall time, "version": nodemailer's}.
const { createRequire } = require("module");
const fs = require("fs");
const required = createRequire(process.argv[2] + "/");
const nodemailer = required("nodemailer");
const orders = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));

const dkim = orders.key_file && {
  domainName: orders.domain,
  keySelector: orders.selector,
  privateKey: fs.readFileSync(orders.key_file, "utf8"),
};
const transport = nodemailer.createTransport({
  host: orders.host,
  port: orders.port,
  secure: false,
  ignoreTLS: true,
  pool: true,
  maxConnections: orders.connections,
  maxMessages: Infinity,
  ...(dkim ? { dkim } : {}),
});

const fill = (template, person) => template.replace(/\{\{(\w+)\}\}/g, (_, name) => person[name]);

async function sender(share) {
  for (let i = share; i < orders.n; i += orders.connections * 2) {
    const person = orders.people[i % orders.people.length];
    await transport.sendMail({
      from: orders.from,
      to: { name: person.name, address: person.address },
      subject: fill(orders.subject, person),
      html: fill(orders.html, person),
      text: fill(orders.text, person),
      headers: {
        "List-Unsubscribe": `<${person.unsubscribe_url}>`,
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
      },
    });
  }
}

const began = process.hrtime.bigint();
const senders = Array.from({ length: orders.connections * 2 }, (_, share) => sender(share));
Promise.all(senders).then(() => {
  const seconds = Number(process.hrtime.bigint() - began) / 1e9;
  transport.close();
  console.log(JSON.stringify({ n: orders.n, seconds, version: required("nodemailer/package.json").version }));
});
