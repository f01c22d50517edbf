import NIOCore
import NIOPosix
import PresenceModel

/// One connection through a ``FaultyProxy``: both of its ends, and what was not passed on yet. Lives on the event loop
/// of its client's end.
final class Conduit {
    typealias Direction = FaultyProxy.Direction

    private enum Word {
        case bytes(ByteBuffer)
        case end
    }

    /// After an answer was cut, the connection closes this much later: the request is taken by then.
    private static let pauseBeforeClosing = TimeAmount.milliseconds(500)

    private let fault: FaultyProxy.Fault
    private let client: any Channel
    private var server: (any Channel)?
    private var held: Set<Direction>
    private var waiting: [Direction: CircularBuffer<Word>] = [:]
    private var count: [Direction: Int] = [:]
    /// How often the client began to speak, after silence or an answer.
    private var flight = 0
    private var isClientSpeaking = false
    /// Bytes of answers of which not all is passed on.
    private var afterCut = 0
    private var isCut = false
    /// Called once, when both ends are closed.
    var whenOver: (@Sendable () -> Void)?

    init(fault: FaultyProxy.Fault, client: any Channel, held: Set<Direction>) {
        self.fault = fault
        self.client = client
        self.held = held
        if case .held(let direction) = fault { self.held.insert(direction) }
    }

    /// Connects to the other side, and takes up what the client says.
    func start(target: Int) throws {
        try client.pipeline.syncOperations.addHandler(End(self, .toServer))
        switch fault {
        case .refused: close(abruptly: true)
        case .unanswered: break
        default:
            let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
            ClientBootstrap(group: client.eventLoop)
                .channelOption(.socketOption(.tcp_nodelay), value: 1)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(End(bound.value, .toClient))
                    }
                }
                .connect(host: "127.0.0.1", port: target)
                .whenComplete { bound.value.connected($0) }
        }
    }

    func hold(_ direction: Direction) { held.insert(direction) }

    /// What was held goes on; a connection that lost something ends.
    func heal() {
        switch fault {
        case .none, .held, .delayed:
            held = []
            for direction in Direction.allCases { drain(direction) }
        case .refused, .unanswered, .closed, .answerCut: close()
        }
    }

    func close() { close(abruptly: false) }

    private func connected(_ result: Result<any Channel, any Error>) {
        switch result {
        case .failure: close(abruptly: true)
        case .success(let channel):
            server = channel
            drain(.toServer)
        }
        noteEnd()
    }

    private func noteEnd() {
        guard !client.isActive, !(server?.isActive ?? false) else { return }
        whenOver?()
        whenOver = nil
    }

    private func close(abruptly: Bool) {
        if abruptly, let options = client as? any SocketOptionProvider {
            options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).whenComplete { [client] _ in
                client.close(promise: nil)
            }
        } else {
            client.close(promise: nil)
        }
        server?.close(promise: nil)
    }
}

// What passes.
extension Conduit {
    /// What stands at one end, and hands on what arrives there.
    private final class End: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let conduit: Conduit
        /// Of what arrives at this end.
        private let direction: Direction

        init(_ conduit: Conduit, _ direction: Direction) {
            self.conduit = conduit
            self.direction = direction
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            conduit.arrived(.bytes(unwrapInboundIn(data)), direction)
        }

        func channelInactive(context: ChannelHandlerContext) {
            conduit.arrived(.end, direction)
            conduit.noteEnd()
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
    }

    private func arrived(_ word: Word, _ direction: Direction) {
        guard case .delayed(let delay) = fault else { return enqueue(word, direction) }
        let bound = NIOLoopBound((self, word), eventLoop: client.eventLoop)
        client.eventLoop.scheduleTask(in: TimeAmount(delay)) { bound.value.0.enqueue(bound.value.1, direction) }
    }

    private func enqueue(_ word: Word, _ direction: Direction) {
        waiting[direction, default: []].append(word)
        drain(direction)
    }

    private func drain(_ direction: Direction) {
        guard fault != .unanswered, !held.contains(direction) else { return }
        if direction == .toServer, server == nil { return }
        while let word = waiting[direction]?.popFirst() {
            switch word {
            case .bytes(let bytes): pass(bytes, direction)
            case .end: end(direction)
            }
        }
    }

    /// Whichever side ends, the other does too.
    private func end(_ direction: Direction) {
        let other = direction == .toServer ? server : client
        other?.close(promise: nil)
    }

    private func pass(_ bytes: ByteBuffer, _ direction: Direction) {
        var bytes = bytes
        if direction == .toServer, !isClientSpeaking { flight += 1 }
        isClientSpeaking = direction == .toServer
        let before = count[direction, default: 0]
        switch fault {
        case .closed(afterBytes: let limit, direction) where !isCut && before + bytes.readableBytes >= limit:
            isCut = true
            send(bytes.readSlice(length: limit - before) ?? bytes, direction, thenClose: true)
        case .closed where isCut: break
        case .answerCut(let from, let letThrough) where direction == .toClient && flight >= from:
            let passing = min(max(0, letThrough - afterCut), bytes.readableBytes)
            afterCut += bytes.readableBytes
            send(bytes.readSlice(length: passing) ?? bytes, direction)
            closeSoon()
        default:
            count[direction] = before + bytes.readableBytes
            send(bytes, direction)
        }
    }

    private func send(_ bytes: ByteBuffer, _ direction: Direction, thenClose: Bool = false) {
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        let written = (direction == .toServer ? server : client)?.writeAndFlush(bytes)
        if thenClose { written?.whenComplete { _ in bound.value.close() } }
    }

    /// Once; later words of the answer are lost in the meantime.
    private func closeSoon() {
        guard !isCut else { return }
        isCut = true
        let bound = NIOLoopBound(self, eventLoop: client.eventLoop)
        client.eventLoop.scheduleTask(in: Conduit.pauseBeforeClosing) { bound.value.close() }
    }
}
