import FoundationEssentials
import NIOCore
import SocialWire

/// One connection of a client: drives its machine on its event loop, and tells those who wait.
final class RPCClientSession: WebSocketSession {
    typealias WaiterID = RPCClientConnection.WaiterID
    /// The first outcome of a question.
    typealias FirstWord = Slot<Result<RPCClientConnection.Effect, any Error>>
    /// Elements, the end, failures.
    typealias Words = Slot<Result<Data?, any Error>>
    typealias Ready = Slot<Result<NIOLoopBound<RPCClientSession>, RPCClientError>>

    private struct Question {
        var slot: FirstWord
        var deadline: Scheduled<Void>
    }

    private enum Stream {
        /// Nobody waits for an element.
        case idle
        /// Somebody does.
        case open(Words)
        /// It is over, and nobody has been told.
        case over(Result<Data?, any Error>)
    }

    private let eventLoop: any EventLoop
    private let ready: Ready
    private let opening: String?
    private var machine: RPCClientConnection
    private var connection: WebSocketConnection?
    private var questions: [WaiterID: Question] = [:]
    private var sources: [WaiterID: ArgumentSource] = [:]
    private var streams: [WaiterID: Stream] = [:]
    private var isGone = false
    private var farewell = RPCFarewell()
    private var gone: [(RPCFarewell) -> Void] = []

    /// - Parameter opening: what is said before the protocol.
    init(
        _ configuration: RPCClientConnection.Configuration, opening: String?, on eventLoop: any EventLoop, ready: Ready
    ) {
        self.eventLoop = eventLoop
        self.ready = ready
        self.opening = opening
        machine = RPCClientConnection(configuration: configuration)
    }

    // MARK: From the WebSocket

    func opened(by connection: WebSocketConnection) {
        self.connection = connection
        if let opening { connection.send(text: opening) }
    }

    func received(_ message: ByteBuffer) { submit(.frameReceived(Array(message.readableBytesView))) }

    /// A server that wants something before the protocol says in text what it thinks of it, and closes then.
    func receivedText(_ beginning: ByteBuffer) {
        guard opening != nil else { return submit(.textReceived) }
        farewell.text = RPCFarewell.readable(beginning.readableBytesView)
    }

    func closing(_ code: UInt16?, _ reason: String) {
        farewell.code = code
        farewell.reason = RPCFarewell.readable(reason.utf8)
    }

    func goingAway() { submit(.leaving) }

    func ended() {
        connection = nil
        submit(.transportClosed)
        ready.put(.failure(RPCClientError(beforeReady: farewell)))
        isGone = true
        let waiting = gone
        gone = []
        for tell in waiting { tell(farewell) }
    }

    // MARK: From the application

    func ask(
        _ event: RPCClientConnection.Event, _ id: WaiterID, _ slot: FirstWord, _ source: ArgumentSource?,
        within limit: TimeAmount
    ) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let deadline = eventLoop.scheduleTask(in: limit) {
            bound.value.settle(id, .failure(RPCClientError(.timedOut, "no answer within the time")))
            bound.value.submit(.givenUp(id))
        }
        questions[id] = Question(slot: slot, deadline: deadline)
        if let source { sources[id] = source }
        submit(event)
    }

    /// - Parameter words: where the element, the end or the failure is put.
    func askElement(of id: WaiterID, _ words: Words) {
        switch streams[id] {
        case .idle:
            streams[id] = .open(words)
            submit(.elementAsked(id))
        case .open: preconditionFailure("two tasks iterate over one stream")
        case .over(let last):
            streams[id] = nil
            words.put(last)
        // Closed by the application.
        case nil: words.put(.success(nil))
        }
    }

    func whenGone(_ tell: @escaping (RPCFarewell) -> Void) {
        if isGone { tell(farewell) } else { gone.append(tell) }
    }

    func submit(_ event: RPCClientConnection.Event) {
        if case .givenUp(let id) = event {
            questions.removeValue(forKey: id)?.deadline.cancel()
            streams[id] = nil
        }
        if case .argumentEnded(let id) = event { sources[id] = nil }
        var effects: [RPCClientConnection.Effect] = []
        machine.handle(event, into: &effects)
        for effect in effects { carryOut(effect) }
    }

    /// The application's own source failed.
    func fail(_ id: WaiterID, _ error: any Error) {
        settle(id, .failure(error))
        let stream = streams[id]
        submit(.givenUp(id))
        if let stream { finish(id, stream, .failure(error)) }
    }

    // MARK: Effects

    private func carryOut(_ effect: RPCClientConnection.Effect) {
        switch effect {
        case .send(let bytes): connection?.send(bytes)
        case .close(let code, let reason): connection?.close(code, reason)
        case .becameReady: ready.put(.success(NIOLoopBound(self, eventLoop: eventLoop)))
        case .portCreated(let id, _), .moduleLoaded(let id, _), .answered(let id, _): settle(id, .success(effect))
        case .offered(let id):
            streams[id] = .idle
            settle(id, .success(effect))
        case .element(let id, let payload):
            guard case .open(let words) = streams[id] else { return }
            streams[id] = .idle
            words.put(.success(payload))
        case .ended(let id): endStream(id, .success(nil))
        case .failed(let id, let failure):
            sources.removeValue(forKey: id)?.cancel()
            let error = RPCClientError(failure)
            settle(id, .failure(error))
            endStream(id, .failure(error))
        case .pullArgument(let id): sources[id]?.pull(for: id, NIOLoopBound(self, eventLoop: eventLoop))
        case .endArgument(let id): sources.removeValue(forKey: id)?.cancel()
        }
    }

    private func settle(_ id: WaiterID, _ word: Result<RPCClientConnection.Effect, any Error>) {
        guard let question = questions.removeValue(forKey: id) else { return }
        question.deadline.cancel()
        question.slot.put(word)
    }

    private func endStream(_ id: WaiterID, _ last: Result<Data?, any Error>) {
        guard let stream = streams[id] else { return }
        finish(id, stream, last)
    }

    private func finish(_ id: WaiterID, _ stream: Stream, _ last: Result<Data?, any Error>) {
        switch stream {
        case .idle: streams[id] = .over(last)
        case .open(let words):
            streams[id] = nil
            words.put(last)
        case .over: break
        }
    }
}
