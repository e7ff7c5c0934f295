// Overloaded: a visitor for std::visit, made of one lambda a case.
#pragma once

namespace oltp20 {

template <typename... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
// Compilers that do not yet deduce an aggregate's arguments (clang before 17) need it said.
template <typename... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

}  // namespace oltp20
