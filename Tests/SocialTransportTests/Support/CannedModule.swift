import Foundation
import SocialTransport
import SocialWire
import Synchronization

/// A module whose procedures answer as they did in a recording, in that order.
struct CannedModule {
    private enum Answer: Sendable {
        case one(Data)
        /// - Parameter isOpen: its end was not seen, or was the client's doing.
        case many([Data], isOpen: Bool)
    }

    private final class Answers: Sendable {
        private let left: Mutex<[Answer]>

        init(_ answers: [Answer]) { left = Mutex(answers) }

        func next() throws -> Answer {
            try left.withLock { left in
                guard !left.isEmpty else { throw RPCFailure("no answer was recorded") }
                return left.removeFirst()
            }
        }
    }

    /// The first module that was loaded in the recording.
    static func module(of recording: Recording) -> RPCModule? {
        var name: String?
        var listing: [ProcedureListing] = []
        for line in recording.lines {
            switch line.message?.body {
            case .requestModule(_, let asked): name = name ?? asked
            case .moduleLoaded(_, let procedures): listing = listing.isEmpty ? procedures : listing
            default: break
            }
        }
        guard let name, recording.name.contains("social") else { return nil }
        return RPCModule(name, listing.map { procedure(of: $0, in: recording) })
    }

    private static func procedure(of listing: ProcedureListing, in recording: Recording) -> RPCProcedure {
        let numbers = recording.lines.compactMap { line -> MessageNumber? in
            guard case .request(_, listing.id, _, _)? = line.message?.body else { return nil }
            return line.message?.number
        }
        let answers = numbers.map { answer(under: $0, in: recording) }
        let left = Answers(answers)
        guard case .many? = answers.first else {
            return RPCProcedure(
                listing.name,
                .unary { _ in
                    guard case .one(let payload) = try left.next() else { throw RPCFailure("a stream was recorded") }
                    return payload
                })
        }
        return RPCProcedure(
            listing.name,
            .serverStream { _ in
                guard case .many(let elements, let isOpen) = try left.next() else {
                    throw RPCFailure("one answer was recorded")
                }
                return EchoModule().pulled { place in
                    if place < elements.count { return elements[place] }
                    return isOpen ? try await EchoModule.never() : nil
                }
            })
    }

    private static func answer(under number: MessageNumber, in recording: Recording) -> Answer {
        var elements: [Data] = []
        var isOpen = true
        for line in recording.lines where !line.isFromClient && line.message?.number == number {
            switch line.message?.body {
            case .response(let payload): return .one(payload)
            case .stream(let frame) where frame.isClosed: isOpen = false
            case .stream(let frame) where frame.sequence > 0: elements.append(frame.payload)
            default: break
            }
        }
        return .many(elements, isOpen: isOpen)
    }
}
