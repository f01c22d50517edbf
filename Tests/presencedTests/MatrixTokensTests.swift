import ClientGateway
import MatrixHTTP
import MatrixWire
import PresenceModel
import Testing

@testable import presenced

struct `Matrix tokens in the social service` {
    private struct One: Authenticating {
        var kind: Caller.Kind

        func caller(of request: MatrixRequest) async throws(MatrixErrorBody) -> Caller {
            try await caller(presenting: "")
        }

        func caller(presenting token: String) async throws(MatrixErrorBody) -> Caller {
            guard token == "good", let user = try? UserID(parsing: "@a:x.org"), let device = try? DeviceID(parsing: "D")
            else { throw MatrixErrorBody(.unknownToken, "no") }
            return Caller(key: DeviceKey(user: user, device: device), kind: kind)
        }

        func knows(_ user: UserID) async -> Bool { true }
    }

    @Test func `are those of users, not of guests`() async throws {
        let users = MatrixTokens(authenticating: One(kind: .user))
        #expect(try await users.user(presenting: "good").text == "@a:x.org")
        await #expect(throws: MatrixErrorBody.self) { _ = try await users.user(presenting: "bad") }
        let guests = MatrixTokens(authenticating: One(kind: .guest))
        await #expect(throws: MatrixErrorBody.self) { _ = try await guests.user(presenting: "good") }
    }
}
