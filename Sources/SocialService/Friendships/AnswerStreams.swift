import FoundationEssentials
import SocialTransport

/// Elements that are known beforehand.
struct ReadyElements: AsyncSequence, Sendable {
    struct AsyncIterator: AsyncIteratorProtocol {
        var rest: ArraySlice<Data>

        mutating func next() async throws -> Data? { rest.popFirst() }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Data? {
            rest.popFirst()
        }
    }

    var elements: [Data]

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(rest: elements[...]) }
}

/// What happens from now on, encoded: each element of the source becomes none, one, or several.
struct EncodedElements<Source: AsyncSequence & Sendable>: AsyncSequence, Sendable
where Source.Element: Sendable, Source.Failure == Never {
    struct AsyncIterator: AsyncIteratorProtocol {
        var source: Source.AsyncIterator
        var ready: ArraySlice<Data>
        let encode: @Sendable (Source.Element) throws -> [Data]
        let mayGoOn: @Sendable () async -> Bool

        mutating func next() async throws -> Data? { try await next(isolation: nil) }

        mutating func next(isolation actor: isolated (any Actor)?) async throws(any Error) -> Data? {
            while true {
                if let element = ready.popFirst() { return element }
                guard let element = await source.next(isolation: actor), await mayGoOn() else { return nil }
                ready = try encode(element)[...]
            }
        }
    }

    let source: Source
    /// Come before what the source brings.
    let first: [Data]
    let encode: @Sendable (Source.Element) throws -> [Data]
    /// Asked before each element of the source is told; if not, the stream ends.
    let mayGoOn: @Sendable () async -> Bool

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(source: source.makeAsyncIterator(), ready: first[...], encode: encode, mayGoOn: mayGoOn)
    }
}
