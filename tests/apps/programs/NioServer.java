// An echo server on java.nio's Selector, with a thread pool beside it: java NioServer
//
// Prints its port. One thread selects; lines that begin with "UPPER " are answered in capitals by a pool thread,
// which wakes the selector; everything else is echoed. Half-closed clients get all of their data. SIGTERM (a shutdown
// hook) closes the selector from another thread; at its end it prints how many connections it served.

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import java.util.concurrent.*;

public class NioServer {
  static final int MOST_PENDING = 1 << 20;

  static class Client {
    final ArrayDeque<ByteBuffer> pending = new ArrayDeque<>();
    int length;
    boolean ended;
  }

  final Selector selector = Selector.open();
  final ServerSocketChannel listener = ServerSocketChannel.open();
  final ExecutorService pool = Executors.newFixedThreadPool(3);
  final Queue<Runnable> done = new ConcurrentLinkedQueue<>();
  final ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);
  volatile boolean stopping;
  int connections;

  NioServer() throws IOException {
    listener.bind(new InetSocketAddress("127.0.0.1", 0), 1024);
    listener.configureBlocking(false);
    listener.register(selector, SelectionKey.OP_ACCEPT);
  }

  void run() throws Exception {
    System.out.println(listener.socket().getLocalPort());
    System.out.flush();
    while (!stopping) {
      selector.select(500);
      for (Runnable task; (task = done.poll()) != null;) task.run();
      Set<SelectionKey> keys = selector.selectedKeys();
      for (SelectionKey key : keys) {
        if (!key.isValid()) continue;
        if (key.isAcceptable()) accept();
        else serve(key);
      }
      keys.clear();
    }
    selector.close();
    listener.close();
    pool.shutdownNow();
    System.out.println(connections + " connections");
    System.out.flush();
  }

  void accept() throws IOException {
    for (SocketChannel channel; (channel = listener.accept()) != null;) {
      channel.configureBlocking(false);
      channel.register(selector, SelectionKey.OP_READ, new Client());
      connections++;
    }
  }

  void serve(SelectionKey key) {
    Client client = (Client) key.attachment();
    SocketChannel channel = (SocketChannel) key.channel();
    try {
      if (key.isReadable()) {
        buffer.clear();
        int count = channel.read(buffer);
        if (count < 0) client.ended = true;
        else {
          byte[] data = new byte[count];
          buffer.flip().get(data);
          String start = new String(data, 0, Math.min(6, count), StandardCharsets.ISO_8859_1);
          if (start.equals("UPPER ")) later(key, client, data);
          else queue(client, data);
        }
      }
      flush(key, client, channel);
    } catch (IOException error) {
      close(key);
    }
  }

  void later(SelectionKey key, Client client, byte[] data) {
    pool.execute(() -> {
      byte[] answer = new String(data, StandardCharsets.ISO_8859_1).toUpperCase().getBytes(StandardCharsets.ISO_8859_1);
      done.add(() -> {
        queue(client, answer);
        try {
          if (key.isValid()) flush(key, client, (SocketChannel) key.channel());
        } catch (IOException error) {
          close(key);
        }
      });
      selector.wakeup();
    });
  }

  void queue(Client client, byte[] data) {
    client.pending.add(ByteBuffer.wrap(data));
    client.length += data.length;
  }

  void flush(SelectionKey key, Client client, SocketChannel channel) throws IOException {
    for (ByteBuffer next; (next = client.pending.peek()) != null;) {
      client.length -= channel.write(next);
      if (next.hasRemaining()) break;
      client.pending.remove();
    }
    int wanted = 0;
    if (!client.ended && client.length < MOST_PENDING) wanted |= SelectionKey.OP_READ;
    if (!client.pending.isEmpty()) wanted |= SelectionKey.OP_WRITE;
    if (wanted == 0) close(key);
    else key.interestOps(wanted);
  }

  void close(SelectionKey key) {
    key.cancel();
    try {
      key.channel().close();
    } catch (IOException ignored) {
    }
  }

  public static void main(String[] arguments) throws Exception {
    NioServer server = new NioServer();
    Thread main = Thread.currentThread();
    Runtime.getRuntime().addShutdownHook(new Thread(() -> {
      server.stopping = true;
      server.selector.wakeup();
      try {
        main.join(10000);
      } catch (InterruptedException ignored) {
      }
    }));
    server.run();
  }
}
