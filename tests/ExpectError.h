#ifndef OPENMMFLOW_TESTS_EXPECTERROR_H_
#define OPENMMFLOW_TESTS_EXPECTERROR_H_

#include <gtest/gtest.h>

#include <string>

#include "openmm/OpenMMException.h"

namespace OpenMMFlow::tests {

/** Whether a message is what every error of this project must be: one sentence of reasonable length on one
 * line. What it quotes may be anything. */
inline bool isOneSentence(const std::string& message) {
    std::string own;
    bool isQuoted = false;
    for (char c : message) {
        isQuoted ^= c == '\'';
        if (!isQuoted)
            own += c;
    }
    return !message.empty() && message.size() < 400 && message.find('\n') == std::string::npos
           && message.back() == '.' && own.find(". ") == std::string::npos;
}

/** Expect that an action throws an OpenMMException of one sentence, with this fragment in it. */
template <class Action>
void expectError(Action action, const std::string& fragment) {
    try {
        action();
    } catch (const OpenMM::OpenMMException& e) {
        std::string message = e.what();
        EXPECT_NE(message.find(fragment), std::string::npos) << message << "\nshould say\n" << fragment;
        EXPECT_TRUE(isOneSentence(message)) << message;
        return;
    }
    ADD_FAILURE() << "No OpenMMException; expected one which says: " << fragment;
}

}  // namespace OpenMMFlow::tests

#endif /*OPENMMFLOW_TESTS_EXPECTERROR_H_*/
