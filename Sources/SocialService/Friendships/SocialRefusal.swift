import MatrixWire
import SocialEngine
import SocialWire
import SwiftProtobuf

/// Why a procedure does not do what it is asked: one of the error arms of the answers, and its text.
///
/// Facts: social service, sections 2.2, 4.1 and 4.3.
enum SocialRefusal: Error, Hashable, Sendable {
    case internalServer(String)
    case unauthorized(String)
    case forbidden(String)
    case tooManyRequests(String)
    /// Three answers have no arm for it and say it as ``internalServer(_:)``.
    case badRequest(String)

    /// What is said.
    var text: String {
        switch self {
        case .internalServer(let text), .unauthorized(let text), .forbidden(let text), .tooManyRequests(let text),
            .badRequest(let text):
            text
        }
    }

    /// What the homeserver, or whoever knows tokens, says against a token. Only the text of a ban is told, as clients
    /// know it from the first service.
    init(_ error: MatrixErrorBody) {
        switch error.code {
        case .forbidden: self = .forbidden(error.message)
        case .unknownToken, .missingToken: self = .unauthorized("")
        case .limitExceeded: self = .tooManyRequests("")
        default: self = .internalServer("")
        }
    }

    /// Why a friendship cannot be acted upon, in the words that clients know; those of rules that the first service did
    /// not have are the production service's, or our own.
    init(_ refusal: FriendshipRefusal) {
        switch refusal {
        case .transition: self = .badRequest("Invalid friendship event update transition")
        case .actingUser(let action):
            self = .badRequest("Invalid acting user for friendship event update \(action.word)")
        // The spelling is the original's.
        case .unknownPair: self = .badRequest("Invalid frienship event update")
        case .toOneself: self = .badRequest("You cannot send a friendship request to yourself")
        case .blocked:
            self = .forbidden(
                "This action is not allowed because either you blocked this user or this user blocked you")
        case .tooManyFriends: self = .forbidden("Too many friends")
        case .tooManyRequests: self = .tooManyRequests("Too many open friendship requests")
        case .tooManyBlocked: self = .forbidden("Too many blocked users")
        case .tooOften: self = .tooManyRequests("Too many friendship or block actions. Please try again later")
        case .messageTooLong: self = .badRequest("`message` is too long")
        case .notStored: self = .internalServer("The change could not be stored")
        }
    }
}

extension FriendshipRefusal {
    /// The refusal that a service tells by this text, in whichever arm of an answer.
    public init?(told text: String) {
        let known: [FriendshipRefusal] = [
            .transition, .actingUser(.accept), .actingUser(.reject), .actingUser(.cancel), .unknownPair, .toOneself,
            .blocked, .tooManyFriends, .tooManyRequests, .tooManyBlocked, .tooOften, .messageTooLong, .notStored,
        ]
        guard let refusal = known.first(where: { SocialRefusal($0).text == text }) else { return nil }
        self = refusal
    }
}

extension FriendshipAction {
    /// As in the texts of refusals.
    fileprivate var word: String {
        switch self {
        case .request: "request"
        case .accept: "accept"
        case .reject: "reject"
        case .cancel: "cancel"
        case .delete: "delete"
        case .block: "block"
        case .unblock: "unblock"
        }
    }
}

/// An answer that can say why not.
protocol RefusableAnswer: Message {
    var internalServerError: FriendshipsInternalServerError { get set }
    var unauthorizedError: FriendshipsUnauthorizedError { get set }
    var forbiddenError: FriendshipsForbiddenError { get set }
    var tooManyRequestsError: FriendshipsTooManyRequestsError { get set }

    mutating func setBadRequest(_ message: String)
}

extension RefusableAnswer {
    init(refusal: SocialRefusal) {
        self.init()
        switch refusal {
        case .internalServer(let text): internalServerError = .with { $0.message = text }
        case .unauthorized(let text): unauthorizedError = .with { $0.message = text }
        case .forbidden(let text): forbiddenError = .with { $0.message = text }
        case .tooManyRequests(let text): tooManyRequestsError = .with { $0.message = text }
        case .badRequest(let text): setBadRequest(text)
        }
    }

    /// For answers without an arm for it.
    mutating func setBadRequest(_ message: String) { internalServerError = .with { $0.message = message } }
}

/// An answer that can say that the request made no sense.
protocol BadRequestAnswer: RefusableAnswer {
    var badRequestError: FriendshipsBadRequestError { get set }
}

extension BadRequestAnswer {
    mutating func setBadRequest(_ message: String) { badRequestError = .with { $0.message = message } }
}

extension FriendshipsPositionResponse: BadRequestAnswer {}
extension FriendshipsUsersResponse: BadRequestAnswer {}
extension FriendshipsUpdateFriendshipResponse: BadRequestAnswer {}
extension FriendshipsPrivacyResponse: BadRequestAnswer {}
extension FriendshipsRequestEventsResponse: RefusableAnswer {}
extension FriendshipsSubscribeFriendshipEventsUpdatesResponse: RefusableAnswer {}
extension FriendshipsSubscribeFriendshipPresenceUpdatesResponse: RefusableAnswer {}
