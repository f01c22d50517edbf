import MatrixHTTP
import NIOCore
import NIOWebSocket

/// One end of a WebSocket: joins fragments, answers pings, sees to the rules of frames and closes. RFC 6455, sections
/// 5 to 7.
///
/// A channel handler and nothing beside it: no task, no timer, no sequence. Must be used on its event loop.
final class WebSocketConnection: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    /// Which end this is.
    enum Role: Hashable, Sendable {
        /// Frames that come must be masked.
        case server
        /// Frames that leave are masked with keys of chance.
        case client
    }

    private enum State {
        case fresh
        case open
        /// A close was sent; the other side's is due. What else comes is thrown away.
        case closing
        case ended
    }

    let role: Role
    let limits: WebSocketLimits
    /// A place among the connections of the event loop; the pulse's own.
    var pulsePlace: WebSocketPulse.Place?
    /// Visits of the pulse since something came.
    private var silentVisits = 0
    private let session: any WebSocketSession
    private let pulse: WebSocketPulse
    private var context: ChannelHandlerContext?
    private var state = State.fresh
    private var fragments: ByteBuffer?
    /// The rest of a text message is due.
    private var isInText = false
    private var isReading = false
    private var isUnflushed = false
    private var isReadHeld = false

    /// - Parameter pulse: of the channel's event loop.
    init(_ role: Role, limits: WebSocketLimits, pulse: WebSocketPulse, session: any WebSocketSession) {
        self.role = role
        self.limits = limits
        self.pulse = pulse
        self.session = session
    }

    /// In the order in which they are added; each connection needs its own.
    var handlers: [any ChannelHandler] {
        // Longer frames than a message may be are refused by their length, before they come.
        let decoder = WebSocketFrameDecoder(maxFrameSize: limits.messageBytesLimit)
        return [ByteToMessageHandler(decoder), WebSocketFrameEncoder(), self]
    }

    // MARK: For the session

    /// Sends a binary message; nothing once the connection closes.
    func send(_ bytes: [UInt8]) {
        guard state == .open, let context else { return }
        guard hasRoom(context) else { return cut(1008) }
        write(.binary, context.channel.allocator.buffer(bytes: bytes))
    }

    /// Sends a text message; nothing once the connection closes.
    func send(text: String) {
        guard state == .open, let context else { return }
        write(.text, context.channel.allocator.buffer(string: text))
    }

    /// Whether something more may be sent. Behind TLS what counts is what the other side of it has not taken.
    private func hasRoom(_ context: ChannelHandlerContext) -> Bool {
        guard !context.channel.isWritable else { return true }
        let unsent = (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? .max
        return unsent <= limits.cutPastBytes
    }

    /// Begins to close, or cuts the connection if the other side does not take its part in time.
    func close(_ code: UInt16, _ reason: String) {
        guard state == .open || state == .fresh, let context else { return }
        state = .closing
        var payload = context.channel.allocator.buffer(capacity: 2 + reason.utf8.count)
        payload.write(webSocketErrorCode: WebSocketErrorCode(codeNumber: Int(code)))
        payload.writeString(reason)
        write(.connectionClose, payload)
        leave()
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: TimeAmount(limits.cutAfter)) { bound.value.cut(nil) }
    }

    // MARK: For the pulse

    /// One interval went by. - Returns: false if the other side has been silent for two.
    func beat() {
        guard state == .open, let context else { return }
        silentVisits += 1
        guard silentVisits <= 2 else { return cut(1001) }
        write(.ping, context.channel.allocator.buffer(capacity: 0))
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        if context.channel.isActive { open(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        open(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        state = .ended
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        leave()
        state = .ended
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        silentVisits = 0
        isReading = true
        take(unwrapInboundIn(data), context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        if isUnflushed {
            isUnflushed = false
            context.flush()
        }
        context.fireChannelReadComplete()
    }

    /// Whoever takes nothing is given no reason to be sent more.
    func read(context: ChannelHandlerContext) {
        if context.channel.isWritable { context.read() } else { isReadHeld = true }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isReadHeld, context.channel.isWritable {
            isReadHeld = false
            context.read()
        }
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event {
        case is ChannelShouldQuiesceEvent:
            if state == .open { session.goingAway() }
            close(1001, "the server stops")
        // The other side writes no more, so it cannot even close as it should.
        case ChannelEvent.inputClosed: context.close(promise: nil)
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard state == .open else { return }
        switch error {
        case NIOWebSocketError.invalidFrameLength: close(1009, "the message is too long")
        case is NIOWebSocketError: close(1002, "a frame against the rules")
        default: context.close(promise: nil)
        }
    }

    private func open(_ context: ChannelHandlerContext) {
        guard state == .fresh else { return }
        state = .open
        let mark = ChannelOptions.Types.WriteBufferWaterMark(
            low: limits.unsentBytesLimit / 2, high: limits.unsentBytesLimit)
        context.channel.setOption(.writeBufferWaterMark, value: mark).whenFailure { _ in }
        UnkeptReads.install(in: context.channel).whenFailure { _ in }
        pulse.add(self)
        session.opened(by: self)
    }

    /// The session's part is over.
    private func leave() {
        fragments = nil
        if state != .ended { pulse.remove(self) }
        guard !hasLeft else { return }
        hasLeft = true
        session.ended()
    }

    private var hasLeft = false

    private func write(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) {
        guard let context else { return }
        let frame = WebSocketFrame(
            fin: true, opcode: opcode, maskKey: role == .client ? .random() : nil, data: payload)
        context.write(wrapOutboundOut(frame), promise: nil)
        if isReading { isUnflushed = true } else { context.flush() }
    }

    /// Ends the connection at once. - Parameter code: told to the other side, if it still listens.
    private func cut(_ code: UInt16?) {
        guard state != .ended, let context else { return }
        if let code { close(code, "") }
        context.close(promise: nil)
    }

    // MARK: Frames

    private func take(_ frame: WebSocketFrame, _ context: ChannelHandlerContext) {
        guard state == .open || state == .closing else { return }
        guard (frame.maskKey != nil) == (role == .server), !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            return close(1002, "a frame against the rules")
        }
        switch frame.opcode {
        case .connectionClose: takeClose(frame.unmaskedData, context)
        case _ where state == .closing: break
        case .ping:
            guard hasRoom(context) else { return cut(1008) }
            write(.pong, frame.unmaskedData)
        case .pong: break
        case .text:
            guard fragments == nil, !isInText else { return close(1002, "a message within a message") }
            isInText = !frame.fin
            session.receivedText(frame.unmaskedData)
        case .binary:
            guard fragments == nil, !isInText else { return close(1002, "a message within a message") }
            if frame.fin {
                session.received(frame.unmaskedData)
            } else {
                fragments = ByteBuffer(buffer: frame.unmaskedData)
            }
        case .continuation: join(frame)
        default: close(1002, "a frame of no known kind")
        }
    }

    private func join(_ frame: WebSocketFrame) {
        if isInText {
            isInText = !frame.fin
            return
        }
        guard var message = fragments else { return close(1002, "the rest of no message") }
        fragments = nil
        guard message.readableBytes + frame.length <= limits.messageBytesLimit else {
            return close(1009, "the message is too long")
        }
        var rest = frame.unmaskedData
        message.writeBuffer(&rest)
        if frame.fin { session.received(message) } else { fragments = message }
    }

    /// Answered in kind; then the server ends the connection, and the client waits for that.
    private func takeClose(_ payload: ByteBuffer, _ context: ChannelHandlerContext) {
        if state == .open {
            guard let code = WebSocketConnection.code(of: payload) else { return close(1002, "a bad close") }
            state = .closing
            var answer = context.channel.allocator.buffer(capacity: 2)
            if let code { answer.write(webSocketErrorCode: WebSocketErrorCode(codeNumber: Int(code))) }
            write(.connectionClose, answer)
            var words = payload
            words.moveReaderIndex(forwardBy: min(2, words.readableBytes))
            session.closing(code, String(buffer: words))
            leave()
        }
        if isUnflushed {
            isUnflushed = false
            context.flush()
        }
        if role == .server { return context.close(promise: nil) }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.scheduleTask(in: TimeAmount(limits.cutAfter)) { bound.value.cut(nil) }
    }

    /// - Returns: `nil` for a close against the rules; a `nil` in it for one without a code.
    private static func code(of payload: ByteBuffer) -> UInt16?? {
        var payload = payload
        guard payload.readableBytes > 0 else { return .some(nil) }
        guard let code = payload.readInteger(as: UInt16.self) else { return nil }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: return nil
        }
        return String(validating: payload.readableBytesView, as: UTF8.self) == nil ? nil : .some(code)
    }
}
