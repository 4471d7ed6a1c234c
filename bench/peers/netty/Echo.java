import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.LengthFieldBasedFrameDecoder;
import io.netty.handler.codec.LengthFieldPrepender;
import java.net.InetSocketAddress;

/**
 * Netty's NIO transport, one loop since a server here has one processor: LengthFieldBasedFrameDecoder
 * and LengthFieldPrepender. With a third word `each` every message is written and flushed, as most
 * people write it; otherwise written, and flushed once the read is complete.
 */
public final class Echo {
    private static final int MESSAGE_BYTES_MAX = 8 * 1024 * 1024;

    public static void main(String[] arguments) throws Exception {
        boolean each = arguments.length > 2 && arguments[2].equals("each");
        NioEventLoopGroup loop = new NioEventLoopGroup(1);
        ServerBootstrap server = new ServerBootstrap()
            .group(loop)
            .channel(NioServerSocketChannel.class)
            .option(ChannelOption.SO_BACKLOG, 1024)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(new ChannelInitializer<SocketChannel>() {
                @Override
                protected void initChannel(SocketChannel channel) {
                    channel.pipeline().addLast(
                        new LengthFieldBasedFrameDecoder(MESSAGE_BYTES_MAX, 0, 4, 0, 4),
                        new LengthFieldPrepender(4),
                        each ? new ServiceOfEach() : new Service());
                }
            });
        Channel listener = server.bind("127.0.0.1", 0).sync().channel();
        System.out.println(((InetSocketAddress) listener.localAddress()).getPort());
        listener.closeFuture().sync();
    }

    private static final class ServiceOfEach extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            context.writeAndFlush(message);
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }

    private static final class Service extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            context.write(message);
        }

        @Override
        public void channelReadComplete(ChannelHandlerContext context) {
            context.flush();
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }
    }
}
