import NIOCore
import NIOHTTPTypes

/// Memory for what is read from a connection: up to 64 KiB at once while much comes, and hardly any while nothing does.
///
/// What NIO uses by itself keeps its buffers, as large as they once had to be, as long as the connection stands: 100 kB
/// for each client that once got something long and now waits. Here only the first, small one is kept.
public struct UnkeptReads: RecvByteBufferAllocator {
    private var sizes = AdaptiveRecvByteBufferAllocator()

    init() {}

    /// A new one each time.
    public func buffer(allocator: ByteBufferAllocator) -> ByteBuffer { sizes.buffer(allocator: allocator) }

    /// Learns how much comes at once.
    /// - Returns: always that the next may be larger, so that a new one is asked for.
    public mutating func record(actualReadBytes: Int) -> Bool {
        _ = sizes.record(actualReadBytes: actualReadBytes)
        return true
    }

    /// Not said, so that no earlier one is taken again.
    public func nextBufferSize() -> Int? { nil }

    /// Lets `channel` read so from now on.
    public static func install(in channel: any Channel) -> EventLoopFuture<Void> {
        // So many buffers are kept as there are reads at a time.
        channel.setOption(.maxMessagesPerRead, value: 1)
            .flatMap { channel.setOption(.recvAllocator, value: UnkeptReads()) }
    }
}

/// Lets a listener's connection read so.
final class UnkeptReadsInstaller: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart

    func handlerAdded(context: ChannelHandlerContext) {
        UnkeptReads.install(in: context.channel).whenComplete { _ in }
    }
}
