// An HTTP server and a TCP echo server on node, with child processes: app.js [workers]
//
// Prints "HTTP-port TCP-port" once both listen. With a number of workers it is a cluster, whose primary hands
// connections over to its workers. SIGTERM ends it with status 0 when its connections have ended.
'use strict';
const child_process = require('child_process');
const cluster = require('cluster');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const net = require('net');

function payload(length, seed) {
  // The same bytes as programs of the tests expect: a counter, hashed.
  const parts = [];
  for (let made = 0, block = 0; made < length; made += 32, block++)
    parts.push(crypto.createHash('sha256').update(`${seed}:${block}`).digest());
  return Buffer.concat(parts).subarray(0, length);
}

function answer(request, response) {
  const url = new URL(request.url, 'http://test');
  const parameter = (name) => url.searchParams.get(name);
  switch (url.pathname) {
    case '/bytes':
      return response.end(payload(Number(parameter('length')), parameter('seed')));
    case '/hash': {
      const hash = crypto.createHash('sha256');
      request.on('data', (data) => hash.update(data)).on('end', () => response.end(hash.digest('hex')));
      return;
    }
    case '/timer':
      return setTimeout(() => response.end('late'), Number(parameter('ms')));
    case '/file':  // through libuv's thread pool
      return fs.createReadStream(parameter('path')).pipe(response);
    case '/exec':
      return child_process.execFile('tr', ['a-z', 'A-Z'], (error, out) => response.end(`${error} ${out}`))
          .stdin.end(parameter('text'));
    case '/shell':
      return child_process.exec(parameter('command'), {maxBuffer: 1 << 26}, (error, out, err) => response.end(
          JSON.stringify({code: error ? error.code : 0, out: out.length, err: err.length})));
    case '/fork': {
      const child = child_process.fork(__filename, ['child']);
      child.send({text: parameter('text')});
      child.on('message', (message) => child.disconnect() || (child.said = message));
      child.on('exit', (code) => response.end(`${code} ${child.said}`));
      return;
    }
    case '/spawn-sync':
      return response.end(child_process.execFileSync('cat', {input: payload(100000, 7)}));
    case '/pid':
      return response.end(String(process.pid));
  }
  response.statusCode = 404;
  response.end();
}

function echo(socket) {
  socket.on('error', () => socket.destroy());
  socket.pipe(socket);
}

function serve(announce) {
  const web = http.createServer(answer);
  const tcp = net.createServer({allowHalfOpen: true}, echo);
  web.keepAliveTimeout = 60000;
  web.listen({port: 0, host: '127.0.0.1', backlog: 1024}, () =>
    tcp.listen({port: 0, host: '127.0.0.1', backlog: 1024}, () => announce(web.address().port, tcp.address().port)));
  return () => {
    tcp.close();
    web.close(() => process.disconnect && process.connected && process.disconnect());
    web.closeIdleConnections();
  };
}

if (process.argv[2] === 'child') {
  process.on('message', (message) => process.send(message.text.toUpperCase()));
} else if (process.argv[2] && cluster.isPrimary) {
  let ready = 0, alive = Number(process.argv[2]);
  const say = (message) => ++ready === alive && console.log(message);
  for (let i = 0; i < alive; i++) cluster.fork().on('message', say).on('exit', () => --alive || process.exit(0));
  process.on('SIGTERM', () => Object.values(cluster.workers).forEach((worker) => worker.send('stop')));
} else if (cluster.isWorker) {
  const stop = serve((web, tcp) => process.send(`${web} ${tcp}`));
  process.on('message', (message) => message === 'stop' && stop());
} else {
  const stop = serve((web, tcp) => console.log(`${web} ${tcp}`));
  process.on('SIGTERM', stop);
}
