// Node's net and readline, as its documentation has them, but for what is said below. PORT
const net = require('node:net');
const readline = require('node:readline');

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    const lines = readline.createInterface({ input: socket, crlfDelay: Infinity });
    // The interface tells the errors of its input once more; without this the process dies of one.
    lines.on('error', () => {});
    lines.on('line', (line) => socket.write(`${line}\n`));
    lines.on('close', () => socket.end());
});
server.listen(Number(process.argv[2]), '127.0.0.1');
