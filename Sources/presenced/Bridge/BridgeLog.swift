import BridgeEngine
import Logging
import SocialBridge
import SocialEngine

/// What the bridge's runtime notes, as one line of the log. Users and addresses are named; what people wrote is not.
struct BridgeLogLine: Hashable, Sendable {
    var level: Logger.Level
    var message: String
    var facts: [String: String]

    init(_ word: BridgeRuntime.Word, service: BridgeDestination) {
        switch word {
        case .unwritten(let rows, let reason):
            level = .error
            message = "rows of the bridge could not be written; they are kept in memory and tried again"
            facts = ["rows": "\(rows)", "reason": reason]
        case .engine(.linkRefused(let link, let source, let rival)):
            level = .warning
            message =
                rival == nil
                ? "a link was refused: the user is of another server, or there are too many (bridge.links)"
                : "a link was refused: the user or the address has another one that counts for as much or more"
            facts = ["user": link.user.text, "address": link.address.text, "by": source.rawValue]
            if let rival { facts["stays"] = BridgeLogLine.words(rival) }
        case .engine(.linkDisplaced(let link, let other)):
            level = .notice
            message = "a link gave way to one that counts for more"
            facts = ["was": BridgeLogLine.words(link), "is": BridgeLogLine.words(other)]
        case .engine(.conflictDecided(let first, let second, let matrix, let social, let decided)):
            level = .notice
            message = "a friendship had changed in Matrix and in the social service; it was decided what holds"
            facts = BridgeLogLine.facts(first, second, matrix, social)
            facts["decided"] = BridgeLogLine.words(decided)
        case .engine(.leftDifferent(let first, let second, let matrix, let social, let refusal)):
            level = .warning
            message = "a friendship stays different in Matrix and in the social service until one of them changes"
            facts = BridgeLogLine.facts(first, second, matrix, social)
            if let refusal { facts["reason"] = BridgeLogLine.words(refusal) }
        case .engine(.userForgotten(let user)):
            level = .info
            message = "an account was closed; the bridge keeps nothing of it"
            facts = ["user": user.text]
        case .engine(.readingDoubted(let address, let friends)):
            level = .warning
            message = "the service says that all friends and requests of a user are gone; it is asked once more"
            facts = ["address": address.text, "were": "\(friends)"]
        }
        facts["service"] = service.rawValue
    }

    /// Writes it.
    func write(to logger: Logger) {
        var metadata: Logger.Metadata = [:]
        for (key, text) in facts { metadata[key] = .string(text) }
        logger.log(level: level, "\(message)", metadata: metadata)
    }

    private static func facts(
        _ first: SocialAddress, _ second: SocialAddress, _ matrix: Bond, _ social: Bond
    ) -> [String: String] {
        ["first": first.text, "second": second.text, "in_matrix": words(matrix), "in_service": words(social)]
    }

    private static func words(_ link: Link) -> String { "\(link.user) is \(link.address)" }

    private static func words(_ bond: Bond) -> String {
        switch bond {
        case .nothing: "nothing"
        case .requested(.first): "the first asked"
        case .requested(.second): "the second asked"
        case .friends: "friends"
        case .blocked(let blockers) where blockers == .first: "the first blocks"
        case .blocked(let blockers) where blockers == .second: "the second blocks"
        case .blocked: "both block"
        }
    }

    /// Not what a request said.
    private static func words(_ refusal: FriendshipRefusal) -> String {
        switch refusal {
        case .transition: "not possible as it is there"
        case .actingUser: "the other one's turn"
        case .unknownPair: "nothing is between the two there"
        case .toOneself: "the two are one"
        case .blocked: "one of the two blocks the other"
        case .tooManyFriends: "one of the two has too many friends"
        case .tooManyRequests: "too many open requests"
        case .tooManyBlocked: "too many blocked"
        case .tooOften: "too often"
        case .messageTooLong: "the message is too long"
        case .notStored: "could not be stored there"
        }
    }
}
