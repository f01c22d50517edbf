import FoundationEssentials
import NIOCore
import SocialWire
import Synchronization

/// The application's stream that is the argument of a call: read by a task of its own, which begins when the server
/// first asks for an element.
final class ArgumentSource: Sendable {
    private let source: RPCStream
    private let pulls = Slot<Void>()
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ source: RPCStream) { self.source = source }

    /// The server wants an element.
    func pull(for id: RPCClientConnection.WaiterID, _ session: NIOLoopBound<RPCClientSession>) {
        task.withLock { task in
            if task == nil { task = Task { await read(source, id, session) } }
        }
        pulls.put(())
    }

    /// Nobody wants any more.
    func cancel() { task.withLock { $0 }?.cancel() }

    private func read(
        _ source: some AsyncSequence<Data, any Error> & Sendable, _ id: RPCClientConnection.WaiterID,
        _ session: NIOLoopBound<RPCClientSession>
    ) async {
        var iterator = source.makeAsyncIterator()
        do {
            while await pulls.take() != nil {
                let element = try await iterator.next(isolation: nil)
                session.eventLoop.execute {
                    session.value.submit(element.map { .argumentReady(id, $0) } ?? .argumentEnded(id))
                }
                guard element != nil else { return }
            }
        } catch {
            // Who was cancelled is not asked why.
            guard !Task.isCancelled else { return }
            session.eventLoop.execute { session.value.fail(id, error) }
        }
    }
}
