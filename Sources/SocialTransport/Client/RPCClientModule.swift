import FoundationEssentials
import SocialWire
import Synchronization

/// A port of a client's connection: what is loaded and runs on it ends with it.
public struct RPCClientPort: Sendable {
    /// The server's choice.
    public let id: UInt32
    let client: RPCClient

    /// Loads a module.
    /// - Throws: ``RPCClientError``: `remote` if the server does not have it; `CancellationError`.
    public func module(_ name: String, timeout: Duration? = nil) async throws -> RPCClientModule {
        let word = try await client.ask(timeout) { [id] in .moduleWanted($0, port: id, name: name) }.word
        guard case .moduleLoaded(_, let listing) = word else { throw RPCClientError.unexpected }
        return RPCClientModule(name: name, procedures: listing, port: self)
    }

    /// Tells the server that the port is not needed any more; there is no answer.
    public func destroy() {
        client.session.eventLoop.execute { [session = client.session, id] in session.value.submit(.portGivenUp(id)) }
    }
}

/// A module as it was loaded on a port.
public struct RPCClientModule: Sendable {
    /// The bare name of the service.
    public let name: String
    /// In the server's order, with the ids of this port.
    public let procedures: [ProcedureListing]
    let port: RPCClientPort

    /// Calls a procedure that takes one message and gives one.
    /// - Parameter timeout: until the answer; `nil`: the client's usual one.
    /// - Throws: ``RPCClientError``, `CancellationError`.
    public func call(_ procedure: String, _ payload: Data, timeout: Duration? = nil) async throws -> Data {
        let word = try await ask(procedure, .unary, payload, nil, timeout).word
        guard case .answered(_, let answer) = word else { throw RPCClientError.unexpected }
        return answer
    }

    /// Calls a procedure that takes a stream and gives one message. The source is asked for an element when the server
    /// wants it. If it fails, the call fails with its error, and the server is told nothing: it must not take half of
    /// a stream for the whole.
    public func call(
        _ procedure: String, sending source: RPCStream, timeout: Duration? = nil
    ) async throws -> Data {
        let word = try await ask(procedure, .clientStream, Data(), source, timeout).word
        guard case .answered(_, let answer) = word else { throw RPCClientError.unexpected }
        return answer
    }

    /// Calls a procedure that takes one message and gives a stream.
    /// - Parameter timeout: until the server offers the stream; an element may take as long as it likes.
    public func stream(_ procedure: String, _ payload: Data, timeout: Duration? = nil) async throws -> RPCElements {
        try await elements(try await ask(procedure, .serverStream, payload, nil, timeout))
    }

    /// Calls a procedure that takes a stream and gives one, each at its own pace.
    public func stream(
        _ procedure: String, sending source: RPCStream, timeout: Duration? = nil
    ) async throws -> RPCElements {
        try await elements(try await ask(procedure, .bidirectional, Data(), source, timeout))
    }

    private typealias Answer = (id: RPCClientConnection.WaiterID, word: RPCClientConnection.Effect)

    private func elements(_ answer: Answer) async throws -> RPCElements {
        guard case .offered = answer.word else { throw RPCClientError.unexpected }
        return RPCElements(answer.id, port.client)
    }

    private func ask(
        _ procedure: String, _ kind: ProcedureKind, _ payload: Data, _ source: RPCStream?, _ timeout: Duration?
    ) async throws -> Answer {
        guard let listing = procedures.first(where: { $0.name == procedure }) else {
            throw RPCClientError(.unknownProcedure, "\(name) has no procedure \(procedure)")
        }
        let call = RPCClientConnection.Call(port: port.id, procedure: listing.id, kind: kind, payload: payload)
        return try await port.client.ask(timeout, source: source.map(ArgumentSource.init)) { .callWanted($0, call) }
    }
}

/// The elements of a stream, the next of which is asked for when the application wants it. Iterated once, by one task.
///
/// Ends when the server says so; throws ``RPCClientError`` if the server's source failed (`remote`) or the connection
/// ended (`lost`). Closed when it is forgotten, and when a task is cancelled that waits for an element.
public final class RPCElements: AsyncSequence, Sendable {
    /// What waits for elements; keeps the stream open.
    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let elements: RPCElements
        private var isOver = false

        fileprivate init(_ elements: RPCElements) { self.elements = elements }

        /// The next element; `nil` behind the last.
        public mutating func next() async throws -> Data? { try await next(isolation: nil) }

        /// The next element; `nil` behind the last.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Data? {
            guard !isOver else { return nil }
            do {
                let element = try await elements.next()
                if element == nil { isOver = true }
                return element
            } catch {
                isOver = true
                throw error
            }
        }
    }

    private let id: RPCClientConnection.WaiterID
    private let client: RPCClient
    private let words = RPCClientSession.Words()
    private let isAsked = Atomic(false)

    init(_ id: RPCClientConnection.WaiterID, _ client: RPCClient) {
        self.id = id
        self.client = client
    }

    deinit { client.giveUp(id) }

    /// Asks for the first element before anybody waits for it: the server's source starts now, and whatever is asked
    /// on this connection from here on is asked behind that.
    public func begin() {
        guard !isAsked.exchange(true, ordering: .acquiringAndReleasing) else { return }
        ask()
    }

    /// Tells the server that no more is wanted; iteration ends behind what has come.
    public func close() {
        client.session.eventLoop.execute { [session = client.session, id, words] in
            session.value.submit(.givenUp(id))
            words.put(.success(nil))
        }
    }

    /// Elements from here on.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(self) }

    private func next() async throws -> Data? {
        // What `begin` asked for is on its way.
        if !isAsked.exchange(false, ordering: .acquiringAndReleasing) { ask() }
        guard let word = await words.take() else {
            client.giveUp(id)
            throw CancellationError()
        }
        return try word.get()
    }

    private func ask() {
        client.session.eventLoop.execute { [session = client.session, id, words] in
            session.value.askElement(of: id, words)
        }
    }
}
