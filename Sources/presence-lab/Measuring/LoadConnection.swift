import NIOCore

/// A request as bytes, ready to be sent: the head, and a body that many may share.
struct PreparedRequest: Sendable {
    var head: ByteBuffer
    var body: ByteBuffer

    /// - Parameter headers: without `Host` and `Content-Length`.
    init(_ method: String, _ target: String, headers: [(String, String)], body: ByteBuffer = ByteBuffer()) {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: \(ServerUnderTest.name)\r\n"
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if method != "GET" { text += "Content-Type: application/json\r\nContent-Length: \(body.readableBytes)\r\n" }
        head = ByteBuffer(string: text + "\r\n")
        self.body = body
    }

    var bytes: ByteBuffer {
        guard body.readableBytes > 0 else { return head }
        var bytes = head
        bytes.writeImmutableBuffer(body)
        return bytes
    }
}

/// When a load begins to count, and when it ends.
struct LoadWindow: Sendable {
    var countsFrom: NIODeadline
    var endsAt: NIODeadline
}

/// What one connection saw.
struct ConnectionTally: Sendable {
    /// Answers in all, also before it counted.
    var answerCount = 0
    /// Answers that were not 200.
    var refusedCount = 0
    /// Of the answers that count.
    var latenciesNanoseconds: [Int64] = []
    /// From when it counted to the last answer that counts.
    var countedNanoseconds: Int64 = 0
    var lastAnswer = Answer()

    struct Answer: Sendable {
        var status = 0
        var body: [UInt8] = []
    }
}

/// One keep-alive connection that asks again as soon as it is answered, with so many requests under way at once.
final class LoadConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let requests: [PreparedRequest]
    private let repeats: Bool
    private let depth: Int
    private let window: LoadWindow
    private let result: EventLoopPromise<ConnectionTally>
    private var tally = ConnectionTally()
    private var sentCount = 0
    private var underway = CircularBuffer<NIODeadline>()
    private var answers = AnswerParser()
    private var isOver = false

    /// - Parameter repeats: begins anew after the last request; else the load ends there.
    init(
        _ requests: [PreparedRequest], repeats: Bool, depth: Int, window: LoadWindow,
        result: EventLoopPromise<ConnectionTally>
    ) {
        self.requests = requests
        self.repeats = repeats
        self.depth = depth
        self.window = window
        self.result = result
    }

    func channelActive(context: ChannelHandlerContext) {
        for _ in 0..<depth { sendNext(context) }
        context.flush()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        answers.take(unwrapInboundIn(data))
        do {
            while let answer = try answers.next() {
                guard let sent = underway.popFirst() else { throw LabError("an answer nobody asked for") }
                note(answer, sent: sent)
                sendNext(context)
            }
        } catch {
            end(context, error)
        }
        context.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end(context, LabError("the server closed the connection after \(tally.answerCount) answers"))
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { end(context, error) }

    private func note(_ answer: ConnectionTally.Answer, sent: NIODeadline) {
        let now = NIODeadline.now()
        tally.answerCount += 1
        if answer.status != 200 { tally.refusedCount += 1 }
        tally.lastAnswer = answer
        guard now >= window.countsFrom, now < window.endsAt else { return }
        tally.latenciesNanoseconds.append((now - sent).nanoseconds)
        tally.countedNanoseconds = (now - window.countsFrom).nanoseconds
    }

    private func sendNext(_ context: ChannelHandlerContext) {
        let now = NIODeadline.now()
        let isExhausted = !repeats && sentCount >= requests.count
        guard now < window.endsAt, !isExhausted else {
            if underway.isEmpty { end(context, nil) }
            return
        }
        underway.append(now)
        context.write(wrapOutboundOut(requests[sentCount % requests.count].bytes), promise: nil)
        sentCount += 1
    }

    private func end(_ context: ChannelHandlerContext, _ error: (any Error)?) {
        guard !isOver else { return }
        isOver = true
        if let error { result.fail(error) } else { result.succeed(tally) }
        context.close(promise: nil)
    }
}

/// Cuts a stream of bytes into HTTP answers that announce their length, as all of presenced's do.
struct AnswerParser {
    private static let headLimitBytes = 16 * 1024
    private static let statusOffset = "HTTP/1.1 ".utf8.count
    private static let lengthName = Array("content-length:".utf8)
    private var bytes = ByteBuffer()

    mutating func take(_ more: ByteBuffer) {
        if bytes.readableBytes == 0 { bytes = more } else { bytes.writeImmutableBuffer(more) }
    }

    /// The next whole answer, if there is one.
    mutating func next() throws -> ConnectionTally.Answer? {
        let head = bytes.withUnsafeReadableBytes { AnswerParser.head(in: $0) }
        guard let head else {
            guard bytes.readableBytes < AnswerParser.headLimitBytes else { throw LabError("a head without an end") }
            return nil
        }
        guard let status = head.status, let length = head.bodyBytes else {
            throw LabError("an answer without status or length")
        }
        guard bytes.readableBytes >= head.bytes + length else { return nil }
        bytes.moveReaderIndex(forwardBy: head.bytes)
        let body = bytes.readBytes(length: length) ?? []
        if bytes.readableBytes == 0 { bytes.clear() }
        return ConnectionTally.Answer(status: status, body: body)
    }

    private struct Head {
        var bytes = 0
        var status: Int?
        var bodyBytes: Int?
    }

    /// Walks line by line, and makes no texts: this runs for every answer, on the machine that is measured.
    private static func head(in bytes: UnsafeRawBufferPointer) -> Head? {
        var head = Head()
        if bytes.count > statusOffset + 3 { head.status = number(in: bytes[statusOffset..<statusOffset + 3]) }
        var start = 0
        while let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = bytes[start..<end]
            start = end + 1
            if line.count <= 1 {
                head.bytes = start
                return head
            }
            let isLength = line.count > lengthName.count && zip(line, lengthName).allSatisfy { $0 | 0x20 == $1 | 0x20 }
            if isLength { head.bodyBytes = number(in: line.dropFirst(lengthName.count)) }
        }
        return nil
    }

    /// Digits, with blanks around them.
    private static func number(in text: Slice<UnsafeRawBufferPointer>) -> Int? {
        var number: Int?
        for byte in text where byte != 0x20 && byte != 0x0D {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), number ?? 0 < 1 << 40 else { return nil }
            number = (number ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return number
    }
}
