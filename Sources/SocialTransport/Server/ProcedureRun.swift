import FoundationEssentials
import NIOCore
import SocialWire
import Synchronization

/// One call that is running: its task, and what passes between that and the event loop.
final class ProcedureRun: Sendable {
    typealias CallID = RPCServerConnection.CallID
    typealias Event = RPCServerConnection.Event

    let givesStream: Bool
    private let id: CallID
    private let session: NIOLoopBound<RPCSession>
    private let task = Mutex<Task<Void, Never>?>(nil)
    private let pulls = Slot<Void>()
    /// `nil` in it for the end.
    private let arguments = Slot<Data?>()

    init(_ id: CallID, givesStream: Bool, session: NIOLoopBound<RPCSession>) {
        self.id = id
        self.givesStream = givesStream
        self.session = session
    }

    // MARK: From the event loop

    func start(_ body: RPCProcedure.Body, _ call: RPCCall) {
        task.withLock { $0 = Task { await run(body, call) } }
    }

    func pull() { pulls.put(()) }

    func deliver(_ payload: Data?) { arguments.put(payload) }

    func cancel() { task.withLock { $0 }?.cancel() }

    // MARK: From the task

    private func run(_ body: RPCProcedure.Body, _ call: RPCCall) async {
        var last: Event?
        do {
            switch body {
            case .unary(let procedure): last = .procedureAnswered(id, try await procedure(call))
            case .clientStream(let procedure):
                last = .procedureAnswered(id, try await procedure(call, ArgumentStream(self)))
            case .serverStream(let procedure): last = try await produce(try await procedure(call))
            case .bidirectional(let procedure):
                last = try await produce(try await procedure(call, ArgumentStream(self)))
            }
        } catch let failure as RPCFailure {
            last = .procedureFailed(id, code: failure.code, message: failure.message)
        } catch {
            // What else goes wrong is not for the other side to read.
            last = .procedureFailed(id, code: 0, message: "")
        }
        post((last.map { [$0] } ?? []) + [.callFinished(id)])
    }

    /// - Returns: the stream's end; `nil` if it was given up.
    private func produce(_ stream: some AsyncSequence<Data, any Error> & Sendable) async throws -> Event? {
        post([.streamReady(id)])
        // Until the offer is taken, the source is not started.
        guard await pulls.take() != nil else { return nil }
        var iterator = stream.makeAsyncIterator()
        while true {
            guard let element = try await iterator.next(isolation: nil) else { return .sourceEnded(id) }
            post([.elementReady(id, element)])
            guard await pulls.take() != nil else { return nil }
        }
    }

    fileprivate func nextArgument() async throws -> Data? {
        post([.argumentAsked(id)])
        guard let argument = await arguments.take() else { throw CancellationError() }
        return argument
    }

    fileprivate func dropArgument() { post([.argumentDropped(id)]) }

    private func post(_ events: [Event]) {
        session.eventLoop.execute { [session] in session.value.take(events) }
    }
}

/// The argument of a call, as its procedure reads it: opened when the first element is asked for, closed when whoever
/// iterates lets go. Iterated once.
struct ArgumentStream: AsyncSequence, Sendable {
    final class Reader: Sendable {
        private let run: ProcedureRun

        init(_ run: ProcedureRun) { self.run = run }

        deinit { run.dropArgument() }

        func next() async throws -> Data? { try await run.nextArgument() }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let reader: Reader
        private var isOver = false

        fileprivate init(_ reader: Reader) { self.reader = reader }

        mutating func next() async throws -> Data? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Data? {
            guard !isOver else { return nil }
            let element = try await reader.next()
            if element == nil { isOver = true }
            return element
        }
    }

    private let run: ProcedureRun

    init(_ run: ProcedureRun) { self.run = run }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(Reader(run)) }
}
